import type { FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import type { KeyOf } from './auth.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route is exempt from the rate limit. */
    unlimited?: boolean
  }
}

/** Counts a request from a client. Returns how many it has sent in this second, and the milliseconds until the next one. */
export type CountRequest = (client: string) => Promise<{ readonly current: number, readonly ttl: number }>

export interface LimitOptions {
  /** The most requests per second from a client; no limit if left out. */
  readonly perSecond: number | undefined
  /** Clients are identified by their keys, or without one by their addresses. */
  readonly keyOf: KeyOf | undefined
  /** Counts requests to all processes. If left out, this process counts its own. */
  readonly count: CountRequest | undefined
}

/** Counts every request from a client, whatever its answer: before its key is checked, and even if no route matches. */
export default fp<LimitOptions>(async (app, { perSecond, keyOf, count }) => {
  if (perSecond === undefined) return
  // Loaded only if it is needed: few deployments limit their clients here.
  const { default: rateLimit } = await import('@fastify/rate-limit')
  await app.register(rateLimit, { global: false, ...(count !== undefined && { store: storeOf(count) }) })
  app.addHook('onRequest', app.rateLimit({
    max: perSecond,
    timeWindow: 1000,
    // No address looks like `key ...`.
    keyGenerator ({ headers, ip }) {
      const key = keyOf?.(headers)
      return key === undefined ? rateLimit.normalizeIP(ip, 64) : `key ${key}`
    },
    allowList: ({ routeOptions }) => routeOptions.config.unlimited === true,
    errorResponseBuilder: () => new InputError('limited', { path: '', message: `more than ${perSecond} requests per second` })
  }))
}, { name: 'limit', fastify: '5.x', dependencies: ['errors'] })

/** Wraps `count` in the store class that the limiter expects. */
function storeOf (count: CountRequest): FastifyRateLimitStoreCtor {
  return class Store {
    incr (client: string, done: (error: Error | null, rate?: { current: number, ttl: number }) => void): void {
      count(client).then((rate) => done(null, rate), done)
    }

    child (): Store {
      return this
    }
  }
}
