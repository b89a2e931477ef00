import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether clients without a key may use the route. */
    open?: boolean
  }
  interface FastifyRequest {
    /** The API key that the request sent, if the service requires one. */
    key: string | undefined
  }
}

/** Returns the key that a request sends, if it is valid. */
export type KeyOf = (headers: IncomingHttpHeaders) => string | undefined

/**
 * If keys are set, clients must send one of them: `Authorization: Bearer KEY` or `X-API-Key: KEY`. A page cannot set headers on a
 * WebSocket, so it can offer the key as a subprotocol instead: `bearer.`, followed by the key as base64url.
 */
export default fp<{ keyOf: KeyOf | undefined }>(async (app, { keyOf }) => {
  app.decorateRequest('key')
  if (keyOf === undefined) return
  app.addHook('onRequest', async (request, reply) => {
    const { headers, routeOptions } = request
    request.key = keyOf(headers)
    if (routeOptions.config.open === true || request.key !== undefined) return
    reply.header('www-authenticate', 'Bearer realm="cellserve"')
    throw new InputError('unauthorized', { path: '', message: 'expected an API key, as Authorization: Bearer KEY or as X-API-Key: KEY' })
  })
}, { name: 'keys', fastify: '5.x', dependencies: ['errors'] })

/** The keys that are valid now. */
export interface Keyring {
  readonly keyOf: KeyOf
  has (key: string): boolean
  /** Makes these keys, and no others, valid from now on. */
  replace (keys: readonly string[]): void
}

/** Creates a keyring of these keys; undefined if there are none. It takes the same time to check any invalid key. */
export function createKeyring (keys: readonly string[]): Keyring | undefined {
  if (keys.length === 0) return undefined
  let known = keys.map(digest)
  const has = (key: string): boolean => {
    const given = digest(key)
    return known.reduce((found, one) => timingSafeEqual(one, given) || found, false)
  }
  return {
    has,
    keyOf (headers) {
      const key = sentKey(headers)
      return has(key) ? key : undefined
    },
    replace (next) { known = next.map(digest) }
  }
}

/** Returns the key that a request sends, or an empty string, which is never valid, if it sends none. */
function sentKey ({ authorization = '', 'x-api-key': plain, 'sec-websocket-protocol': offered = '' }: IncomingHttpHeaders): string {
  if (typeof plain === 'string' && plain !== '') return plain
  return /^Bearer +([^ ]+) *$/i.exec(authorization)?.[1] ?? Buffer.from(/(?:^|,)\s*bearer\.([\w-]+)\s*(?:,|$)/.exec(offered)?.[1] ?? '', 'base64url').toString()
}

/** Digests have the same length for keys of any length. */
function digest (key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
