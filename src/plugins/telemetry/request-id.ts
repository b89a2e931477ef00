import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import fp from 'fastify-plugin'

/** An id that is safe in a log and in a header. */
const ID = /^[\w.:+/=@-]{1,128}$/
/** W3C trace context: version, trace id, parent id, flags. */
const TRACEPARENT = /^[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-|$)/

/** The id of a request: its own `x-request-id`, or a new one. */
export function requestId ({ headers: { 'x-request-id': given } }: { headers: IncomingHttpHeaders }): string {
  return typeof given === 'string' && ID.test(given) ? given : randomUUID()
}

/** Sends every client the id of its request, and adds the trace id of its `traceparent` to the request's log lines. */
export default fp(async (app) => {
  app.addHook('onRequest', (request, reply, done) => {
    const { id, headers: { traceparent } } = request
    reply.header('x-request-id', id)
    const traceId = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.[1] : undefined
    if (traceId !== undefined) reply.log = request.log = request.log.child({ traceId })
    done()
  })
}, { name: 'identity', fastify: '5.x' })
