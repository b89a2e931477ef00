import fp from 'fastify-plugin'
import type { Caller } from '../scheduler/cancellation.ts'
import { overloaded, type Admission } from '../scheduler/admission.ts'
import { InputError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who waits for the answer of a request that brings work. */
    caller: Caller
  }
}

export interface CallersOptions {
  readonly admission: Admission
  /** Seconds in which a request is answered. */
  readonly timeout: number
}

/** A request's own, shorter time, in seconds. */
const TIMEOUT_HEADER = 'x-request-timeout'

/**
 * Knows of each request that brings work until when its caller waits, and whether it still does. Where there is no room, the
 * request is refused before its body is read.
 */
export default fp<CallersOptions>(async (app, { admission, timeout }) => {
  app.decorateRequest('caller')

  app.addHook('onRequest', async (request, reply) => {
    if (request.method !== 'POST') return
    if (admission.full) throw overloaded(admission.rows, admission.bytes)
    const caller: Caller = { deadline: performance.now() + 1000 * secondsOf(request.headers[TIMEOUT_HEADER], timeout), gone: false }
    request.caller = caller
    reply.raw.once('close', () => { caller.gone = true })
  })
}, { name: 'callers', fastify: '5.x', dependencies: ['errors'] })

function secondsOf (header: string | string[] | undefined, most: number): number {
  if (header === undefined) return most
  const seconds = Number(header)
  if (!(seconds > 0)) throw new InputError('malformed', { path: '', message: `${TIMEOUT_HEADER}: expected seconds, more than 0, got ${JSON.stringify(header)}` })
  return Math.min(seconds, most)
}
