import type { FastifyBaseLogger } from 'fastify'
import { messageOf } from './errors.ts'
import { findAddon } from './engine/addon.ts'
import { buildApp, type Together } from './app.ts'
import type { Config } from './config/settings.ts'
import type { Engine } from './engine/engine.ts'
import { readKeys } from './config/keys.ts'
import { storeAddress } from './config/store-address.ts'
import { closeModels, loadModels } from './load.ts'
import type { ModelDeps } from './model/model.ts'
import { createKeyring } from './plugins/auth.ts'
import { createMetrics, NO_MODEL, type Metrics } from './plugins/telemetry/metrics.ts'
import { createReloader, type ReloadEvents } from './reload.ts'
import type { Repository } from './routes/v2/repository.ts'
import { createAdmission } from './scheduler/admission.ts'
import { createMemoryStore } from './model/sessions/memory.ts'
import type { SessionStore } from './model/sessions/session.ts'
import type { Shelf } from './model/sessions/shared/shelf.ts'
import { createSharedStore } from './model/sessions/shared/store.ts'
import { createValkeyStore } from './model/sessions/valkey/store.ts'
import { createRegistry, type Registry } from './model/registry.ts'
import { createScheduler } from './scheduler/scheduler.ts'
import { version } from './version.ts'
import { lookAtModels } from './weights/sight.ts'
import { createJson } from './wire/json.ts'
import { createLargeJson } from './wire/large-json.ts'

/** What one of several workers needs from the others. */
export interface Others extends Together {
  /** The shelf with the sessions of all workers, unless an external store has them. */
  shelf (asked: Metrics['asked']): Shelf
  /** Makes all workers load and unload models. */
  repository (own: Repository): Repository
}

/**
 * Puts the parts of the service together: models on an engine, and the app that serves them.
 *
 * @throws Error if the models cannot be served; the message says why.
 */
export async function createService (config: Config, engine: Engine, logger?: FastifyBaseLogger, others?: Others) {
  const admission = createAdmission(config['max-rows'], config['max-bytes'])
  const metrics = createMetrics(admission, { version, engine: engine.name, backend: engine.backend })
  const report = (error: unknown): void => logger?.error(error)
  const deps: ModelDeps = {
    engine,
    maxSteps: config['max-steps'],
    batchRows: config['batch-rows'],
    maxWork: config['max-work'],
    admission,
    scheduler: createScheduler(metrics),
    hosting: { timeout: config['feedback-timeout'], memory: config['feedback-memory'], report }
  }
  // Looks before the models are read, so that changes in the meantime are seen as changes. Loading reports what is wrong with the folder.
  const seen = await lookAtModels(config.models, () => {}).catch(() => undefined)
  const models = await loadModels(config.models, deps, (message) => logger?.warn(message))
  let sessions: SessionStore | undefined
  try {
    const registry = createRegistry(models, config['default-model'], report)
    const store = await createSessions(config, registry, metrics, logger, others)
    sessions = store
    metrics.serves(registry)
    const keyring = createKeyring(await readKeys(config))
    const reloader = createReloader(config.models, deps, registry, seen, eventsOf(store, metrics, logger))
    const large = createLargeJson()
    const app = await buildApp({
      config,
      registry,
      sessions: store,
      admission,
      metrics,
      json: createJson(findAddon()),
      large,
      keyring,
      repository: config['repository-api'] ? others?.repository(reloader) ?? reloader : undefined,
      together: others,
      ...(logger !== undefined && { logger })
    })
    app.addHook('onClose', async () => {
      await reloader.close()
      await large.close()
      await store.close()
      await registry.close()
    })
    if (config.watch !== undefined) reloader.watch(config.watch)

    /** Brings keys and models up to date with their files. Errors are logged and change nothing. */
    async function reload (): Promise<void> {
      try {
        keyring?.replace(await readKeys(config))
      } catch (error) {
        logger?.error(`the API keys are not reloaded: ${messageOf(error)}`)
      }
      await reloader.reload()
    }
    return { app, registry, admission, metrics, reload, repository: reloader }
  } catch (error) {
    await sessions?.close()
    await closeModels(models)
    throw error
  }
}

/** What happens after a reload. */
function eventsOf (sessions: SessionStore, metrics: Metrics, logger: FastifyBaseLogger | undefined): ReloadEvents {
  return {
    loaded ({ name, version }, before) {
      metrics.reloaded(name, 'loaded')
      logger?.info({ model: name, version, ...(before !== undefined && { before: before.version }) }, 'model loaded')
    },
    left (model, replaced) {
      sessions.leave(model)
      if (replaced) return
      metrics.reloaded(model.name, 'removed')
      logger?.info({ model: model.name, version: model.version }, 'model removed')
    },
    failed (model, message) {
      metrics.reloaded(model ?? NO_MODEL, 'failed')
      logger?.error({ ...(model !== undefined && { model }) }, `not reloaded; what was served before is still served: ${message}`)
    },
    waits: (model) => logger?.info({ model }, 'its files are being written; they will be loaded once they stop changing'),
    warn: (message) => logger?.warn(message)
  }
}

/** Creates the store of sessions. If an external store cannot be reached, only sessions fail. */
async function createSessions (config: Config, registry: Registry, metrics: Metrics, logger?: FastifyBaseLogger, others?: Others): Promise<SessionStore> {
  const bounds = { maxSessions: config['max-sessions'], maxBytes: config['max-session-bytes'], timeout: config['session-timeout'] }
  const address = storeAddress(config.sessions)
  const sharing = { ...bounds, requestTimeout: config['request-timeout'], modelOf: (name: string) => registry.find(name) }
  if (address === undefined) return others === undefined ? createMemoryStore(bounds) : createSharedStore(others.shelf(metrics.asked), sharing)
  const store = `${address.host}:${address.port}`
  return await createValkeyStore({
    ...sharing,
    address,
    events: {
      asked: metrics.asked,
      lost: (reason) => logger?.warn({ store, reason }, 'the session store does not answer; requests for sessions get a 503 until it does'),
      found: () => logger?.info({ store }, 'the session store answers again')
    }
  })
}
