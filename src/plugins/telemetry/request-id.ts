import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'

/** An id that is safe in a log and in a header. */
const ID = /^[\w.:+/=@-]{1,128}$/
/** W3C trace context: version, trace id, parent id, flags. */
const TRACEPARENT = /^[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-|$)/

/** The id of a request: its own `x-request-id`, or a new one. */
export function requestId ({ headers: { 'x-request-id': given } }: { headers: IncomingHttpHeaders }): string {
  return typeof given === 'string' && ID.test(given) ? given : randomUUID()
}

/** A request's logger, with the trace id of its `traceparent`. It is made when something is first logged: most requests log nothing. */
export function requestLogger (logger: FastifyBaseLogger, bindings: object, options: object, { headers: { traceparent } }: IncomingMessage): FastifyBaseLogger {
  let child: FastifyBaseLogger | undefined
  const made = (): FastifyBaseLogger => {
    const trace = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.[1] : undefined
    child ??= logger.child(trace === undefined ? bindings : { ...bindings, traceId: trace }, options)
    return child
  }
  return new Proxy(logger, {
    get: (_, name): unknown => Reflect.get(made(), name),
    set: (_, name, value) => Reflect.set(made(), name, value)
  })
}

/** Sends every client the id of its request. */
export default fp(async (app) => {
  app.addHook('onRequest', ({ id }, reply, done) => {
    reply.header('x-request-id', id)
    done()
  })
}, { name: 'identity', fastify: '5.x' })
