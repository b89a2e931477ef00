import type { FastifyBaseLogger } from 'fastify'
import { findAddon } from './addon.ts'
import { buildApp } from './app.ts'
import type { Config } from './config.ts'
import type { Engine } from './engine/engine.ts'
import { loadModels } from './load.ts'
import { createMetrics } from './metrics.ts'
import { createAdmission } from './model/admission.ts'
import { createRegistry } from './model/registry.ts'
import { version } from './version.ts'
import { createJson } from './wire/json.ts'

/**
 * Puts the parts of the service together: models on an engine, and the app that answers for them.
 *
 * @throws Error where the models cannot be served; the message says why.
 */
export async function createService (config: Config, engine: Engine, logger?: FastifyBaseLogger) {
  const admission = createAdmission(config['max-rows'], config['max-bytes'])
  const metrics = createMetrics(admission, { version, engine: engine.name, backend: engine.backend })
  const models = await loadModels(config.models, {
    engine,
    maxSteps: config['max-steps'],
    batchRows: config['batch-rows'],
    admission,
    meter: metrics.meter
  })
  const registry = createRegistry(models, config['default-model'])
  const app = await buildApp({
    registry,
    admission,
    metrics,
    json: createJson(findAddon()),
    requestTimeout: config['request-timeout'],
    bodyLimit: config['body-limit'],
    ...(logger !== undefined && { logger })
  })
  return { app, registry, admission, metrics }
}
