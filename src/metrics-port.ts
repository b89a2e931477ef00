import type { FastifyInstance } from 'fastify'
import type { Config } from './config/settings.ts'

/** Serves the metrics on their own port, if they have one. The code for that is not loaded otherwise. */
export async function listenForMetrics ({ host, 'metrics-port': port }: Config, scrape: () => Promise<string>): Promise<FastifyInstance | undefined> {
  if (port === undefined) return undefined
  const { buildMetricsApp } = await import('./app.ts')
  const app = await buildMetricsApp(scrape)
  await app.listen({ host, port })
  return app
}
