import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether clients without a key may use the route. */
    open?: boolean
  }
}

/** If keys are set, clients must send one of them: `Authorization: Bearer KEY` or `X-API-Key: KEY`. */
export default fp<{ keys: readonly string[] }>(async (app, { keys }) => {
  if (keys.length === 0) return
  const known = keys.map(digest)
  app.addHook('onRequest', async ({ headers, routeOptions }, reply) => {
    if (routeOptions.config.open === true || isKnown(keyOf(headers))) return
    reply.header('www-authenticate', 'Bearer realm="cellserve"')
    throw new InputError('unauthorized', { path: '', message: 'expected an API key, as Authorization: Bearer KEY or as X-API-Key: KEY' })
  })

  /** Takes the same time for every unknown key. */
  function isKnown (key: string): boolean {
    const given = digest(key)
    return known.reduce((found, one) => timingSafeEqual(one, given) || found, false)
  }
}, { name: 'keys', fastify: '5.x', dependencies: ['errors'] })

/** The key of a request; empty if it has none, which matches no key. */
export function keyOf ({ authorization = '', 'x-api-key': plain }: IncomingHttpHeaders): string {
  return typeof plain === 'string' && plain !== '' ? plain : /^Bearer +([^ ]+) *$/i.exec(authorization)?.[1] ?? ''
}

/** A digest has one length for keys of any length. */
function digest (key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
