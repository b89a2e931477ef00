#!/usr/bin/env node
import closeWithGrace from 'close-with-grace'
import { pino, type Logger } from 'pino'
import { buildMetricsApp } from './app.ts'
import { ConfigError, helpText, readConfig, type Config } from './config/settings.ts'
import { chooseEngine } from './engine/choose.ts'
import type { Metrics } from './plugins/telemetry/metrics.ts'
import { createService } from './service.ts'
import { version } from './version.ts'

/** How long accepted requests have to finish once the process is told to stop, in milliseconds. */
const GRACE = 10_000

try {
  const config = readConfig(process.argv.slice(2), process.env)
  if (config === 'help') process.stdout.write(helpText())
  else if (config === 'version') process.stdout.write(`${version}\n`)
  else await serve(config)
} catch (error) {
  // Whatever keeps the service from starting is a line for the operator.
  process.stderr.write(`cellserve: ${error instanceof Error ? error.message : String(error)}\n`)
  if (error instanceof ConfigError) process.stderr.write('cellserve --help lists what can be set\n')
  process.exitCode = 1
}

async function serve (config: Config): Promise<void> {
  const logger = createLogger(config['log-level'])
  const engine = await chooseEngine(config.engine, config.threads, config.isa)
  const { app, metrics, registry } = await createService(config, engine, logger)
  await app.listen({ host: config.host, port: config.port })
  const monitor = await listenForMetrics(config, metrics)
  closeWithGrace({ delay: GRACE, logger }, async ({ err }) => {
    if (err !== undefined) logger.error(err)
    await app.close()
    await monitor?.close()
  })
  logger.info({
    engine: `${engine.name} (${engine.backend})`,
    models: registry.models.map(({ name }) => name),
    default: registry.defaultName,
    ...(monitor !== undefined && { metrics: monitor.listeningOrigin })
  }, 'ready')
}

/** Serves the metrics on a port of their own, where they have one. */
async function listenForMetrics ({ host, 'metrics-port': port }: Config, metrics: Metrics) {
  if (port === undefined) return undefined
  const app = await buildMetricsApp(metrics)
  await app.listen({ host, port })
  return app
}

/** JSON lines, but for people at a terminal. */
function createLogger (level: string): Logger {
  return pino({ level, ...(process.stdout.isTTY && { transport: { target: 'pino-pretty', options: { singleLine: true } } }) })
}
