import fp from 'fastify-plugin'
import { NO_MODEL, type Metrics } from './metrics.ts'

/** Counts every answer. */
export default fp<{ metrics: Metrics }>(async (app, { metrics }) => {
  app.addHook('onResponse', (request, reply, done) => {
    const labels = { route: request.routeOptions.url ?? 'none', model: request.model?.name ?? NO_MODEL, status: reply.statusCode }
    metrics.answered(labels, reply.elapsedTime / 1000, request.refused)
    done()
  })
}, { name: 'metrics', fastify: '5.x', dependencies: ['errors', 'served-model'] })
