import type { FastifyPluginAsync } from 'fastify'
import { METRICS_TYPE } from '../plugins/telemetry/metrics.ts'
import { problems } from './schemas.ts'

/** `GET /metrics`, for Prometheus. */
const routes: FastifyPluginAsync<{ scrape: () => Promise<string> }> = async (app, { scrape }) => {
  app.get('/metrics', {
    schema: {
      operationId: 'metrics',
      tags: ['operations'],
      summary: 'Metrics for Prometheus',
      response: { 200: { description: 'The Prometheus text format.', content: { 'text/plain': { schema: { type: 'string' } } } }, ...problems(401, 429, 503) }
    }
  }, async (_request, reply) => {
    reply.header('content-type', METRICS_TYPE)
    return await scrape()
  })
}

export default routes
