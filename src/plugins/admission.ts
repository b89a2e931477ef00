import type { ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import type { Call, Reservation } from '../model/call.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route computes: its requests have a deadline, and count toward the limits until their answers have been sent. */
    work?: boolean
  }
  interface FastifyRequest {
    /** On routes that compute: the deadline of the answer, and what the request has reserved. */
    call: Call | undefined
  }
}

export interface AdmissionOptions {
  /**
   * Makes the reservation of a request.
   *
   * @param body bytes that it is about to send.
   * @throws InputError if the request would exceed the limits.
   */
  reserve (body: number): Reservation
  /** Seconds until a request times out. */
  readonly timeout: number
}

/** A response that has not closed yet. */
interface OpenResponse {
  readonly raw: ServerResponse
  /** When it is cut off, by the clock of `performance.now()`. */
  readonly readBy: number
  index: number
}

/** A request's own, shorter timeout, in seconds. */
const TIMEOUT_HEADER = 'x-request-timeout'

/** How long after its deadline an answer may still be read, in milliseconds. */
const LAST_READ = 5000

/**
 * Makes a reservation for each request that computes, and releases it when the response has closed. A request that would exceed
 * the limits is rejected before its body is read. An answer that is not read in time is cut off: otherwise its client could keep
 * it in memory.
 */
export default fp<AdmissionOptions>(async (app, { reserve, timeout }) => {
  app.decorateRequest('call')
  /** Unordered. (A Map that every request writes to keeps its deleted entries alive: its tables form a chain.) */
  const open: OpenResponse[] = []

  app.addHook('onRequest', (request, { raw }, done) => {
    if (request.routeOptions.config.work === true) admit(request, raw)
    done()
  })

  /** @throws InputError if the request would exceed the limits, or its head is wrong. */
  function admit (request: FastifyRequest, raw: ServerResponse): void {
    const { headers, routeOptions: { bodyLimit } } = request
    const deadline = performance.now() + 1000 * secondsOf(headers[TIMEOUT_HEADER], timeout)
    const reservation = reserve(Math.min(Number(headers['content-length'] ?? 0), bodyLimit))
    const call: Call = { deadline, cancelled: false, reservation }
    request.call = call
    const response: OpenResponse = { raw, readBy: deadline + LAST_READ, index: open.length }
    open.push(response)
    raw.on('close', () => {
      remove(response)
      call.cancelled = true
      reservation.release()
    })
  }

  /** Moves the last response into the place of this one. Can be called again. */
  function remove (response: OpenResponse): void {
    if (open[response.index] !== response) return
    const last = open.pop()
    if (last === undefined || last === response) return
    last.index = response.index
    open[last.index] = last
  }

  const sweep = setInterval(() => {
    const now = performance.now()
    // Until its head is sent, an answer is late, not unread; the scheduler reports that.
    for (const { raw, readBy } of [...open]) if (now > readBy && raw.headersSent) raw.destroy()
  }, 1000).unref()
  app.addHook('onClose', async () => clearInterval(sweep))
}, { name: 'admission', fastify: '5.x', dependencies: ['errors'] })

function secondsOf (header: string | string[] | undefined, most: number): number {
  if (header === undefined) return most
  const seconds = Number(header)
  if (!(seconds > 0)) throw new InputError('malformed', { path: '', message: `${TIMEOUT_HEADER}: expected seconds, more than 0, got ${JSON.stringify(header)}` })
  return Math.min(seconds, most)
}
