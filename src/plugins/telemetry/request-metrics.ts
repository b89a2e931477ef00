import fp from 'fastify-plugin'
import type { Metrics } from './metrics.ts'
import type { Registry } from '../../model/registry.ts'

/** Counts every answer. */
export default fp<{ metrics: Metrics, registry: Registry }>(async (app, { metrics, registry }) => {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    metrics.answered({ route, model: modelOf(route, request.params), status: reply.statusCode }, reply.elapsedTime / 1000, request.refused)
  })

  /** Only names of models: names that clients make up must not become labels. */
  function modelOf (route: string, params: unknown): string {
    const named = typeof params === 'object' && params !== null && 'model' in params ? params.model : registry.defaultName
    const known = typeof named === 'string' && registry.models.some(({ name }) => name === named)
    return known && (route.includes(':model') || route === '/step' || route === '/sequence') ? named : 'none'
  }
}, { name: 'metrics', fastify: '5.x', dependencies: ['errors'] })
