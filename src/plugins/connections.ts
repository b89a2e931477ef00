import cluster from 'node:cluster'
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { HttpError } from './errors.ts'
import { answerInTurn } from './pipelines.ts'
import { problem, PROBLEM_JSON, type Problem } from './problem.ts'
import { SECURITY_HEADERS } from './security-headers.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Calls `then` once all earlier requests on the connection have been answered. */
    afterAnswers (socket: Socket, then: () => void): void
  }
}

export interface ConnectionsOptions {
  readonly maxConnections: number
  /** How many seconds an answer may wait for its client to continue reading. */
  readonly readTimeout: number
  /** Called for each invalid request, with the id of its answer. */
  readonly onRefused: (id: string, status: number, reason: string) => void
}

/** How long a connection has to send its request if it arrives while the server closes, in milliseconds. */
const LATE = 1000

/** Limits connections, and replaces the terse or empty answers that Node.js sends by itself with problems. */
export default fp<ConnectionsOptions>(async (app, { maxConnections, readTimeout, onRefused }) => {
  const pipelines = answerInTurn(app.server)
  app.decorate('afterAnswers', pipelines.afterAnswers)
  /** Connections without a request so far. */
  const unused = new Set<Socket>()
  let closing = false

  // If a worker refused a connection through `maxConnections`, it would be handed the same one again and again.
  if (cluster.isPrimary) app.server.maxConnections = maxConnections
  app.server.on('connection', (socket) => {
    if (cluster.isWorker) app.server.getConnections((_error, count) => { if (count > maxConnections) socket.destroy() })
    unused.add(socket)
    if (closing) setTimeout(() => { if (unused.has(socket)) socket.destroy() }, LATE).unref()
    socket.once('close', () => { unused.delete(socket) })
  })
  app.server.prependListener('request', ({ socket }) => { unused.delete(socket) })
  // Node.js closes connections that wait for another request, but not those that wait for their first.
  app.addHook('preClose', async () => {
    closing = true
    for (const socket of unused) socket.destroy()
  })
  // The hook below refuses it.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))

  app.addHook('onRequest', ({ raw: { httpVersion, headers, rawHeaders, socket }, routeOptions }, reply, done) => {
    const wrong = problemOfHead(httpVersion, headers, rawHeaders)
    // It is not certain where the body ends.
    if (wrong !== undefined) reply.header('connection', 'close')
    // Node.js does not emit the request of a WebSocket as one.
    unused.delete(socket)
    // The admission plugin limits requests that compute. A request that the process injects has no connection.
    if (routeOptions.config.work !== true && pipelines.has(socket, reply.raw)) cutIfUnread(reply.raw)
    done(wrong)
  })

  /** Cuts the connection if its client does not read the answer in time. */
  function cutIfUnread (response: ServerResponse): void {
    const timer = setTimeout(() => { response.destroy() }, 1000 * readTimeout).unref()
    response.once('close', () => { clearTimeout(timer) })
  }

  app.server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // Earlier requests from the same client are answered first.
    pipelines.afterAnswers(socket, () => refuse(error, socket))
  })

  function refuse ({ code = 'error' }: NodeJS.ErrnoException, socket: Socket): void {
    if (code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    // The rest of a request that has already been answered.
    const latest = pipelines.latest(socket)
    if (latest?.headersSent === true && !latest.req.complete) {
      socket.end()
      return
    }
    const answer = CLIENT_ERRORS.get(code) ?? problem(400, 'the request is not valid HTTP/1.1')
    const body = JSON.stringify(answer)
    const id = randomUUID()
    const headers = { ...SECURITY_HEADERS, 'x-request-id': id, 'content-type': PROBLEM_JSON, 'content-length': Buffer.byteLength(body), connection: 'close' }
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
    socket.end(`HTTP/1.1 ${answer.status} ${answer.title}\r\n${head}\r\n${body}`)
    onRefused(id, answer.status, code)
  }
}, { name: 'connections', fastify: '5.x', dependencies: ['errors'] })

function problemOfHead (httpVersion: string, headers: IncomingMessage['headers'], rawHeaders: readonly string[]): HttpError | undefined {
  if (headers.host === undefined && httpVersion === '1.1') return new HttpError(400, 'an HTTP/1.1 request needs a Host header')
  // Node.js keeps the first of two; a proxy may have used the other.
  if (countHosts(rawHeaders) > 1) return new HttpError(400, 'the Host header appears twice')
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    return new HttpError(417, `expected the Expect header to be 100-continue or absent, got ${JSON.stringify(headers.expect)}`)
  }
  const coding = headers['transfer-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    return new HttpError(501, `expected chunked or nothing in the header transfer-encoding, got ${JSON.stringify(coding)}`)
  }
  return undefined
}

/** @param rawHeaders alternating names and values. */
function countHosts (rawHeaders: readonly string[]): number {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) count += Number(rawHeaders[i].length === 4 && rawHeaders[i].toLowerCase() === 'host')
  return count
}

const CLIENT_ERRORS: ReadonlyMap<string, Problem> = new Map([
  ['HPE_HEADER_OVERFLOW', problem(431, 'the headers are too large')],
  ['ERR_HTTP_REQUEST_TIMEOUT', problem(408, 'the request did not arrive in time')]
])
