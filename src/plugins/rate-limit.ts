import rateLimit from '@fastify/rate-limit'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import { keyOf } from './auth.ts'

export interface LimitOptions {
  /** Most requests per second from a client; no limit if absent. */
  readonly perSecond: number | undefined
  /** Whether clients are identified by their keys; otherwise by their addresses. */
  readonly byKey: boolean
}

/** Limits the requests per second of each client. */
export default fp<LimitOptions>(async (app, { perSecond, byKey }) => {
  if (perSecond === undefined) return
  await app.register(rateLimit, {
    max: perSecond,
    timeWindow: 1000,
    keyGenerator: ({ headers, ip }) => byKey ? keyOf(headers) : ip,
    allowList: ({ routeOptions }) => routeOptions.config.open === true,
    errorResponseBuilder: () => new InputError('limited', { path: '', message: `more than ${perSecond} requests per second` })
  })
}, { name: 'limit', fastify: '5.x', dependencies: ['errors', 'keys'] })
