import type { FastifyBaseLogger } from 'fastify'
import { findAddon } from './engine/addon.ts'
import { buildApp } from './app.ts'
import type { Config } from './config/settings.ts'
import type { Engine } from './engine/engine.ts'
import { readKeys } from './config/keys.ts'
import { storeAddress } from './config/store-address.ts'
import { closeModels, loadModels } from './load.ts'
import { createMetrics, type Metrics } from './plugins/telemetry/metrics.ts'
import { createAdmission } from './scheduler/admission.ts'
import { createMemoryStore } from './model/sessions/memory.ts'
import type { SessionStore } from './model/sessions/session.ts'
import { createValkeyStore } from './model/sessions/valkey/store.ts'
import { createRegistry, type Registry } from './model/registry.ts'
import { createScheduler } from './scheduler/scheduler.ts'
import { version } from './version.ts'
import { createJson } from './wire/json.ts'

/**
 * Puts the parts of the service together: models on an engine, and the app that serves them.
 *
 * @throws Error if the models cannot be served; the message says why.
 */
export async function createService (config: Config, engine: Engine, logger?: FastifyBaseLogger) {
  const admission = createAdmission(config['max-rows'], config['max-bytes'])
  const metrics = createMetrics(admission, { version, engine: engine.name, backend: engine.backend })
  const models = await loadModels(config.models, {
    engine,
    maxSteps: config['max-steps'],
    batchRows: config['batch-rows'],
    maxWork: config['max-work'],
    admission,
    scheduler: createScheduler(metrics),
    hosting: { timeout: config['feedback-timeout'], memory: config['feedback-memory'], report: (error) => logger?.error(error) }
  }, (message) => logger?.warn(message))
  let sessions: SessionStore | undefined
  try {
    const registry = createRegistry(models, config['default-model'])
    const store = await createSessions(config, registry, metrics, logger)
    sessions = store
    const app = await buildApp({
      config,
      registry,
      sessions: store,
      admission,
      metrics,
      json: createJson(findAddon()),
      keys: await readKeys(config),
      ...(logger !== undefined && { logger })
    })
    app.addHook('onClose', async () => {
      await store.close()
      await closeModels(models)
    })
    return { app, registry, admission, metrics }
  } catch (error) {
    await sessions?.close()
    await closeModels(models)
    throw error
  }
}

/** Where sessions are kept. A store that is not there stops nothing but them. */
async function createSessions (config: Config, { models }: Registry, metrics: Metrics, logger?: FastifyBaseLogger): Promise<SessionStore> {
  const bounds = { maxSessions: config['max-sessions'], maxBytes: config['max-session-bytes'], timeout: config['session-timeout'] }
  const address = storeAddress(config.sessions)
  if (address === undefined) return createMemoryStore(bounds)
  const byName = new Map(models.map((model) => [model.name, model]))
  const store = `${address.host}:${address.port}`
  return await createValkeyStore({
    ...bounds,
    address,
    requestTimeout: config['request-timeout'],
    modelOf: (name) => byName.get(name),
    events: {
      asked: metrics.asked,
      lost: (reason) => logger?.warn({ store, reason }, 'the store of sessions does not answer; sessions get a 503 until it does'),
      found: () => logger?.info({ store }, 'the store of sessions answers again')
    }
  })
}
