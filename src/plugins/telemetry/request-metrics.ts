import fp from 'fastify-plugin'
import type { Registry } from '../../model/registry.ts'
import { NO_MODEL, type Metrics } from './metrics.ts'
import { modelAsked } from './model-asked.ts'

/** Counts every answer. */
export default fp<{ metrics: Metrics, registry: Registry }>(async (app, { metrics, registry }) => {
  app.addHook('onResponse', (request, reply, done) => {
    const labels = { route: request.routeOptions.url ?? 'none', model: modelAsked(request, registry) ?? NO_MODEL, status: reply.statusCode }
    metrics.answered(labels, reply.elapsedTime / 1000, request.refused)
    done()
  })
}, { name: 'metrics', fastify: '5.x', dependencies: ['errors'] })
