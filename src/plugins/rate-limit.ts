import rateLimit from '@fastify/rate-limit'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import { keyOf } from './auth.ts'

export interface LimitOptions {
  /** Most requests of a client in a second; no limit where left out. */
  readonly perSecond: number | undefined
  /** Whether clients are known by their keys; by their addresses otherwise. */
  readonly byKey: boolean
}

/** No client asks too often. */
export default fp<LimitOptions>(async (app, { perSecond, byKey }) => {
  if (perSecond === undefined) return
  await app.register(rateLimit, {
    max: perSecond,
    timeWindow: 1000,
    keyGenerator: ({ headers, ip }) => byKey ? keyOf(headers) : ip,
    allowList: ({ routeOptions }) => routeOptions.config.open === true,
    errorResponseBuilder: () => new InputError('limited', { path: '', message: `more than ${perSecond} requests in a second` })
  })
}, { name: 'limit', fastify: '5.x', dependencies: ['errors', 'keys'] })
