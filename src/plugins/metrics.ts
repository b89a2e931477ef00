import fp from 'fastify-plugin'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface MetricsOptions {
  /** What runs, as labels of `cellserve_build_info`. */
  readonly build: { readonly version: string, readonly engine: string, readonly backend: string }
}

/** `GET /metrics`, for Prometheus. */
export default fp<MetricsOptions>(async (app, { build }) => {
  const register = new Registry()
  collectDefaultMetrics({ register, prefix: 'cellserve_' })

  new Gauge({ name: 'cellserve_build_info', help: 'What runs; always 1.', labelNames: ['version', 'engine', 'backend'], registers: [register] })
    .set(build, 1)

  const seconds = new Histogram({
    name: 'cellserve_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer, by route and status.',
    labelNames: ['route', 'status'],
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [register]
  })
  app.addHook('onResponse', async (request, reply) => {
    seconds.observe({ route: request.routeOptions.url ?? 'none', status: reply.statusCode }, reply.elapsedTime / 1000)
  })

  app.get('/metrics', {
    schema: {
      operationId: 'metrics',
      tags: ['operations'],
      summary: 'Metrics for Prometheus',
      response: { 200: { description: 'The Prometheus text format.', content: { 'text/plain': { schema: { type: 'string' } } } } }
    }
  }, async (_request, reply) => {
    reply.header('content-type', register.contentType)
    return await register.metrics()
  })
}, { name: 'metrics', fastify: '5.x' })
