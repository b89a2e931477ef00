import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import { problem, PROBLEM_JSON, type Problem } from './errors.ts'

/** The latest request of a connection. */
const latest = new WeakMap<Socket, { readonly request: IncomingMessage, readonly response: ServerResponse }>()

/** Has all that Node.js would answer by itself, in few words or none, answered as a problem. */
export default fp<{ maxConnections: number }>(async (app, { maxConnections }) => {
  app.server.maxConnections = maxConnections
  app.server.prependListener('request', (request, response) => { latest.set(request.socket, { request, response }) })

  app.server.on('checkExpectation', ({ headers }, response) => {
    const text = JSON.stringify(problem(417, `expected 100-continue or nothing in the header expect, got ${JSON.stringify(headers.expect)}`))
    response.writeHead(417, { 'content-type': PROBLEM_JSON, 'content-length': Buffer.byteLength(text), connection: 'close' }).end(text)
  })

  app.addHook('onRequest', async ({ raw: { httpVersion, headers } }) => {
    if (headers.host === undefined && httpVersion === '1.1') throw new InputError('malformed', { path: '', message: 'a request of HTTP/1.1 needs the header host' })
  })
}, { name: 'connections', fastify: '5.x', dependencies: ['errors'] })

/** Answers what is no request; what the same client asked before is answered first. */
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
  const answer = CLIENT_ERRORS.get(code) ?? problem(400, 'this is not HTTP/1.1')
  const body = JSON.stringify(answer)
  socket.end(`HTTP/1.1 ${answer.status} ${answer.title}\r\ncontent-type: ${PROBLEM_JSON}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
}

const CLIENT_ERRORS: ReadonlyMap<string | undefined, Problem> = new Map([
  ['HPE_HEADER_OVERFLOW', problem(431, 'the headers are too large')],
  ['ERR_HTTP_REQUEST_TIMEOUT', problem(408, 'the request did not arrive in time')]
])
