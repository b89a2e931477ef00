import type { FastifyRequest } from 'fastify'
import type { Registry } from '../../model/registry.ts'

/** The model that a request asks for; undefined if it asks for none or for one that does not exist, so that made-up names go nowhere. */
export function modelAsked ({ routeOptions: { url = '' }, params }: FastifyRequest, registry: Registry): string | undefined {
  const named = typeof params === 'object' && params !== null && 'model' in params ? params.model : registry.defaultName
  const known = typeof named === 'string' && registry.models.some(({ name }) => name === named)
  return known && (url.includes(':model') || url === '/step' || url === '/sequence') ? named : undefined
}
