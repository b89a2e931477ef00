import type { FastifyPluginAsync } from 'fastify'
import type { Metrics } from '../plugins/telemetry/metrics.ts'
import { problems } from './schemas.ts'

/** `GET /metrics`, for Prometheus. */
const routes: FastifyPluginAsync<{ metrics: Metrics }> = async (app, { metrics }) => {
  app.get('/metrics', {
    schema: {
      operationId: 'metrics',
      tags: ['operations'],
      summary: 'Metrics for Prometheus',
      response: { 200: { description: 'The Prometheus text format.', content: { 'text/plain': { schema: { type: 'string' } } } }, ...problems(401, 429, 503) }
    }
  }, async (_request, reply) => {
    reply.header('content-type', metrics.register.contentType)
    return await metrics.register.metrics()
  })
}

export default routes
