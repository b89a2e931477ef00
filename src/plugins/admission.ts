import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import type { Call } from '../scheduler/cancellation.ts'
import type { Admission } from '../scheduler/admission.ts'
import { InputError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route computes: its requests have a deadline, and count until their answers have been sent. */
    work?: boolean
  }
  interface FastifyRequest {
    /** On routes that compute: until when the answer is wanted, and what the request has reserved. */
    call: Call | undefined
  }
}

export interface AdmissionOptions {
  readonly admission: Admission
  /** Seconds until a request times out. */
  readonly timeout: number
}

/** A request and its response, until that has closed. */
interface Exchange {
  /** When the response is cut, on the clock of `performance.now()`. */
  readonly readBy: number
  end (): void
}

/** A request's own, shorter time, in seconds. */
const TIMEOUT_HEADER = 'x-request-timeout'

/** How long after its deadline an answer may still be read, in milliseconds. */
const LAST_READ = 5000

/**
 * Opens an account for each request that computes, and closes it when the response has closed. Without room, the request is
 * rejected before its body is read. An answer that is not read in time is cut: otherwise its client could keep it in memory.
 */
export default fp<AdmissionOptions>(async (app, { admission, timeout }) => {
  app.decorateRequest('call')
  const exchanges = new Map<ServerResponse, Exchange>()
  /** Those of each connection: a response that waits for the one before it is not told that the connection has closed. */
  const connections = new WeakMap<Socket, Set<Exchange>>()

  function exchangesOf (socket: Socket): Set<Exchange> {
    const known = connections.get(socket)
    if (known !== undefined) return known
    const own = new Set<Exchange>()
    connections.set(socket, own)
    socket.once('close', () => { for (const exchange of own) exchange.end() })
    return own
  }

  app.addHook('onRequest', async (request, { raw }) => {
    if (request.routeOptions.config.work !== true) return
    const { headers, routeOptions: { bodyLimit } } = request
    const deadline = performance.now() + 1000 * secondsOf(headers[TIMEOUT_HEADER], timeout)
    const reservation = admission.reserve(Math.min(Number(headers['content-length'] ?? 0), bodyLimit))
    const call: Call = { deadline, cancelled: false, reservation }
    request.call = call
    const siblings = exchangesOf(request.raw.socket)
    const exchange: Exchange = {
      readBy: deadline + LAST_READ,
      end () {
        siblings.delete(exchange)
        exchanges.delete(raw)
        call.cancelled = true
        reservation.release()
      }
    }
    siblings.add(exchange)
    exchanges.set(raw, exchange)
    raw.once('close', exchange.end)
  })

  const sweep = setInterval(() => {
    const now = performance.now()
    // Before its head is sent, an answer is late, not unread; the scheduler reports that.
    for (const [raw, { readBy }] of exchanges) if (now > readBy && raw.headersSent) raw.destroy()
  }, 1000).unref()
  app.addHook('onClose', async () => clearInterval(sweep))
}, { name: 'admission', fastify: '5.x', dependencies: ['errors'] })

function secondsOf (header: string | string[] | undefined, most: number): number {
  if (header === undefined) return most
  const seconds = Number(header)
  if (!(seconds > 0)) throw new InputError('malformed', { path: '', message: `${TIMEOUT_HEADER}: expected seconds, more than 0, got ${JSON.stringify(header)}` })
  return Math.min(seconds, most)
}
