import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import { problem, PROBLEM_JSON, type Problem } from './errors.ts'

/** The latest request of a connection. */
const latest = new WeakMap<Socket, { readonly request: IncomingMessage, readonly response: ServerResponse }>()

/** Replaces Node's built-in error responses (408, 417, 431, malformed HTTP) with problem+json. */
export default fp<{ maxConnections: number }>(async (app, { maxConnections }) => {
  app.server.maxConnections = maxConnections
  app.server.prependListener('request', (request, response) => { latest.set(request.socket, { request, response }) })

  app.server.on('checkExpectation', ({ headers }, response) => {
    const text = JSON.stringify(problem(417, `expected the Expect header to be 100-continue or absent, got ${JSON.stringify(headers.expect)}`))
    response.writeHead(417, { 'content-type': PROBLEM_JSON, 'content-length': Buffer.byteLength(text), connection: 'close' }).end(text)
  })

  app.addHook('onRequest', async ({ raw: { httpVersion, headers } }) => {
    if (headers.host === undefined && httpVersion === '1.1') throw new InputError('malformed', { path: '', message: 'an HTTP/1.1 request needs a Host header' })
  })
}, { name: 'connections', fastify: '5.x', dependencies: ['errors'] })

/** Answers bytes that are not a request, after the answer to the same client's previous request. */
export function answerClientError (error: NodeJS.ErrnoException, socket: Socket): void {
  const before = latest.get(socket)
  if (before?.request.complete === true && !before.response.writableFinished) before.response.once('close', () => refuse(error, socket))
  else refuse(error, socket)
}

function refuse ({ code }: NodeJS.ErrnoException, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const answer = CLIENT_ERRORS.get(code) ?? problem(400, 'the request is not valid HTTP/1.1')
  const body = JSON.stringify(answer)
  socket.end(`HTTP/1.1 ${answer.status} ${answer.title}\r\ncontent-type: ${PROBLEM_JSON}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
}

const CLIENT_ERRORS: ReadonlyMap<string | undefined, Problem> = new Map([
  ['HPE_HEADER_OVERFLOW', problem(431, 'the headers are too large')],
  ['ERR_HTTP_REQUEST_TIMEOUT', problem(408, 'the request did not arrive in time')]
])
