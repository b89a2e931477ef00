import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { HttpError } from './errors.ts'
import { problem, PROBLEM_JSON, type Problem } from './problem.ts'
import { SECURITY_HEADERS } from './security-headers.ts'

export interface ConnectionsOptions {
  readonly maxConnections: number
  /** Is told of what was no request, under the id of its answer. */
  readonly onRefused: (id: string, status: number, reason: string) => void
}

/** A request of a connection, and the one before it if that is still to be answered. */
interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly before: Exchange | undefined
}

/** Replaces what Node.js answers by itself, in few words or none, by problems. */
export default fp<ConnectionsOptions>(async (app, { maxConnections, onRefused }) => {
  const latest = new WeakMap<Socket, Exchange>()
  app.server.maxConnections = maxConnections
  app.server.prependListener('request', (request, response) => {
    const before = latest.get(request.socket)
    latest.set(request.socket, { request, response, before: before === undefined || before.response.writableFinished ? undefined : before })
  })
  // The hook below refuses it.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))

  app.addHook('onRequest', async ({ raw: { httpVersion, headers, rawHeaders } }, reply) => {
    const wrong = problemOfHead(httpVersion, headers, rawHeaders)
    if (wrong === undefined) return
    // Where its body ends is not certain.
    reply.header('connection', 'close')
    throw wrong
  })

  app.server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // What the same client asked before is answered first.
    let exchange = latest.get(socket)
    while (exchange !== undefined && !(exchange.request.complete && !exchange.response.writableFinished)) exchange = exchange.before
    if (exchange === undefined) refuse(error, socket)
    else exchange.response.once('close', () => refuse(error, socket))
  })

  function refuse ({ code = 'error' }: NodeJS.ErrnoException, socket: Socket): void {
    if (code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
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
  // Node.js keeps the first of two; a proxy may have looked at the other.
  const hosts = rawHeaders.filter((name, i) => i % 2 === 0 && name.length === 4 && name.toLowerCase() === 'host')
  if (hosts.length > 1) return new HttpError(400, 'the header host is there twice')
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    return new HttpError(417, `expected the Expect header to be 100-continue or absent, got ${JSON.stringify(headers.expect)}`)
  }
  const coding = headers['transfer-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    return new HttpError(501, `expected chunked or nothing in the header transfer-encoding, got ${JSON.stringify(coding)}`)
  }
  return undefined
}

const CLIENT_ERRORS: ReadonlyMap<string, Problem> = new Map([
  ['HPE_HEADER_OVERFLOW', problem(431, 'the headers are too large')],
  ['ERR_HTTP_REQUEST_TIMEOUT', problem(408, 'the request did not arrive in time')]
])
