import type { Config } from './config/settings.ts'
import { endWithGrace } from './end-with-grace.ts'
import { createLogger, logDrain } from './logger.ts'
import { listenForMetrics } from './metrics-port.ts'
import type { Engine } from './engine/engine.ts'
import type { Registry } from './model/registry.ts'
import { createService } from './service.ts'
import { startEngine } from './start-engine.ts'

/** How long probes and load balancers see that the process is ending before its port is closed, in milliseconds. */
export const NOTICE = 1000

/** Serves until a signal ends the process. @throws Error if the service cannot start. */
export async function serve (config: Config): Promise<void> {
  // A signal to reload waits until the service exists.
  let early = false
  const wait = (): void => { early = true }
  process.on('SIGHUP', wait)
  const logger = await createLogger(config['log-level'])
  const engine = await startEngine(config, logger)
  const { app, metrics, registry, reload } = await createService(config, engine, logger)
  // The metrics come first: without them nothing is served.
  const monitor = await listenForMetrics(config, metrics.scrape)
  try {
    await app.listen({ host: config.host, port: config.port })
  } catch (error) {
    await monitor?.close()
    throw error
  }
  const grace = 1000 * config.grace
  process.on('SIGHUP', () => { void reload() })
  process.off('SIGHUP', wait)
  if (early) void reload()
  endWithGrace(grace, logger, async (signal, error) => {
    logDrain(logger, config.grace, signal, error)
    await app.drain(Math.min(NOTICE, grace / 2))
    await monitor?.close()
    logger.info('all requests are answered; exiting')
  })
  logger.info({ ...servedBy(engine, registry), ...(monitor !== undefined && { metrics: monitor.listeningOrigin }) }, 'ready')
}

/** What the log reports about the engine and the models. */
export function servedBy (engine: Engine, registry: Registry): object {
  return {
    engine: `${engine.name} (${engine.backend})`,
    models: registry.models.map(({ name }) => name),
    versions: Object.fromEntries(registry.models.map(({ name, version }) => [name, version])),
    default: registry.defaultName,
    weights: Object.fromEntries(registry.models.map(({ name, precision, weightBytes }) => [name, `${precision}, ${(weightBytes / 2 ** 20).toFixed(1)} MiB`]))
  }
}
