import cluster from 'node:cluster'
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { HttpError } from './errors.ts'
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

/** How many POSTs of a connection are answered at the same time; other requests are answered one by one. */
const DEPTH = 16
/** How many further requests of a connection may wait before it is read no further, and how many of all; each takes about 3 KB. */
const MAX_WAITING = 64
const MAX_WAITING_OF_ALL = 4096

/** An open connection. */
interface Connection {
  /** The responses that have not been sent yet, in the order in which they are sent; some at the front may have been since. */
  readonly responses: ServerResponse[]
  latest: ServerResponse | undefined
  /** Whether it has had a request. */
  used: boolean
  /** How many requests wait for the response before theirs. */
  waiting: number
}

/** Replaces the terse or empty answers that Node.js sends by itself with problems. */
export default fp<ConnectionsOptions>(async (app, { maxConnections, readTimeout, onRefused }) => {
  const open = new Map<Socket, Connection>()
  let waiting = 0
  let closing = false

  /** The responses that have not been sent yet. */
  function unsent (socket: Socket): ServerResponse[] {
    const all = open.get(socket)?.responses ?? []
    while (all.length > 0 && all[0].writableFinished) all.shift()
    return all
  }

  // If a worker refused a connection through `maxConnections`, it would be handed the same one again and again.
  if (cluster.isPrimary) app.server.maxConnections = maxConnections
  app.server.on('connection', (socket) => {
    if (cluster.isWorker) app.server.getConnections((_error, count) => { if (count > maxConnections) socket.destroy() })
    const connection: Connection = { responses: [], latest: undefined, used: false, waiting: 0 }
    open.set(socket, connection)
    if (closing) setTimeout(() => { if (!connection.used) socket.destroy() }, LATE).unref()
    // Node.js resumes a connection for each of its requests.
    socket.on('resume', () => { if (connection.waiting > MAX_WAITING) socket.pause() })
    socket.once('close', () => {
      // A response that waits for the one before it has no socket yet, so Node.js does not notify it when the connection closes.
      for (const response of unsent(socket)) if (response.socket === null) response.emit('close')
      open.delete(socket)
    })
  })
  // Otherwise a client that sends many requests and reads nothing would fill the memory with answers. The answers of a GET are the large ones.
  const listeners = app.server.rawListeners('request')
  app.server.removeAllListeners('request')
  app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    const connection = open.get(socket)
    if (connection === undefined) return
    connection.used = true
    connection.latest = response
    const all = unsent(socket)
    const earlier = all[all.length - (request.method === 'POST' ? DEPTH : 1)]
    all.push(response)
    inTurn(socket, connection, earlier, () => {
      for (const listener of listeners) Reflect.apply(listener, app.server, [request, response])
    })
  })
  // Node.js closes connections that wait for another request, but not those that wait for their first.
  app.addHook('preClose', async () => {
    closing = true
    for (const [socket, { used }] of open) if (!used) socket.destroy()
  })
  // The hook below refuses it.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))

  app.addHook('onRequest', ({ raw: { httpVersion, headers, rawHeaders, socket }, routeOptions }, reply, done) => {
    const wrong = problemOfHead(httpVersion, headers, rawHeaders)
    // It is not certain where the body ends.
    if (wrong !== undefined) reply.header('connection', 'close')
    const connection = open.get(socket)
    // Node.js does not emit the request of a WebSocket as one.
    if (connection !== undefined) connection.used = true
    // The admission plugin limits requests that compute. A request that the process injects has no connection.
    if (routeOptions.config.work !== true && connection?.responses.includes(reply.raw) === true) cutIfUnread(reply.raw)
    done(wrong)
  })

  /** Answers a request once an earlier one, if there is one, has been answered. */
  function inTurn (socket: Socket, connection: Connection, earlier: ServerResponse | undefined, answer: () => void): void {
    if (earlier === undefined) answer()
    else if (waiting === MAX_WAITING_OF_ALL) socket.destroy()
    else {
      waiting++
      if (++connection.waiting > MAX_WAITING) socket.pause()
      earlier.once('close', () => setImmediate(() => {
        waiting--
        if (--connection.waiting === MAX_WAITING) socket.resume()
        if (!socket.destroyed) answer()
      }))
    }
  }

  /** Cuts the connection if its client does not read the answer in time. */
  function cutIfUnread (response: ServerResponse): void {
    const timer = setTimeout(() => { response.destroy() }, 1000 * readTimeout).unref()
    response.once('close', () => { clearTimeout(timer) })
  }

  app.server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // Earlier requests from the same client are answered first.
    app.afterAnswers(socket, () => refuse(error, socket))
  })

  app.decorate('afterAnswers', (socket, then) => {
    const last = unsent(socket).findLast(({ req }) => req.complete)
    if (last === undefined) then()
    else last.once('close', then)
  })

  function refuse ({ code = 'error' }: NodeJS.ErrnoException, socket: Socket): void {
    if (code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    // The rest of a request that has already been answered.
    const latest = open.get(socket)?.latest
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
