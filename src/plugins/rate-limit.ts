import type { FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import type { KeyOf } from './auth.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether requests of the route are answered however many there are. */
    unlimited?: boolean
  }
}

/** Counts a request of a client: how many it has sent in this second, and the milliseconds until the next. */
export type CountRequest = (client: string) => Promise<{ readonly current: number, readonly ttl: number }>

export interface LimitOptions {
  /** Most requests of a client in a second; no limit if left out. */
  readonly perSecond: number | undefined
  /** Clients are known by their keys, and those without one by their addresses. */
  readonly keyOf: KeyOf | undefined
  /** Counts what comes to other processes too; left out, this one counts. */
  readonly count: CountRequest | undefined
}

/** Counts every request of a client, whatever its answer: before its key is checked, and also if no route matches. */
export default fp<LimitOptions>(async (app, { perSecond, keyOf, count }) => {
  if (perSecond === undefined) return
  // Few limit their clients here, so few pay for loading it.
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

/** As the limiter asks for it. */
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
