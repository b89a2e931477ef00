import type { FastifyBaseLogger } from 'fastify'
import { findAddon } from './engine/addon.ts'
import { buildApp } from './app.ts'
import type { Config } from './config/settings.ts'
import type { Engine } from './engine/engine.ts'
import { readKeys } from './config/keys.ts'
import { closeModels, loadModels } from './load.ts'
import { createMetrics } from './plugins/telemetry/metrics.ts'
import { createAdmission } from './scheduler/admission.ts'
import { createMemoryStore } from './model/sessions/memory.ts'
import { createRegistry } from './model/registry.ts'
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
  try {
    const registry = createRegistry(models, config['default-model'])
    const sessions = createMemoryStore({ maxSessions: config['max-sessions'], maxBytes: config['max-session-bytes'], timeout: config['session-timeout'] })
    const app = await buildApp({
      config,
      registry,
      sessions,
      admission,
      metrics,
      json: createJson(findAddon()),
      keys: await readKeys(config),
      ...(logger !== undefined && { logger })
    })
    app.addHook('onClose', async () => {
      await sessions.close()
      await closeModels(models)
    })
    return { app, registry, admission, metrics }
  } catch (error) {
    await closeModels(models)
    throw error
  }
}
