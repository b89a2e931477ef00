import websocket from '@fastify/websocket'
import fp from 'fastify-plugin'
import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { InputError } from '../../errors.ts'
import type { Reservation } from '../../model/call.ts'
import { isUnreadable } from '../../wire/frames.ts'
import { refuse } from '../errors.ts'
import { VERSION_HEADER } from '../served-model.ts'
import { NO_MODEL, type Metrics } from '../telemetry/metrics.ts'
import { Connection, SLACK, type Conversation } from './connection.ts'
import { filterUpgrades, offersSocket, problemOfUpgrade, SUBPROTOCOL } from './upgrades.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Answers the frames of a socket until it closes. */
    converse (socket: WebSocket, request: FastifyRequest, conversation: Conversation): void
  }
}

export interface SocketsOptions {
  readonly metrics: Metrics
  /** Whether the key that a socket was opened with is still valid. */
  isValid (key: string | undefined): boolean
  /** Makes the reservation of a socket or a frame. @throws InputError if it would exceed the limits. */
  reserve (bytes: number): Reservation
  /** The paths that are WebSockets. */
  readonly path: RegExp
  /** The most sockets at once. */
  readonly maxSockets: number
  /** The most bytes of a frame. */
  readonly maxBytes: number
  /** Origins whose pages may open a socket, in addition to the service's own. */
  readonly origins: readonly string[]
  /** Seconds: to answer a frame; without a frame before a socket closes; of silence before a peer is pinged. */
  readonly timeout: number
  readonly idle: number
  readonly ping: number
  /** Whether a line is logged once a socket has closed. */
  readonly log: boolean
}

/** The bytes that a socket takes in addition to its row. */
const SOCKET_BYTES = 2 ** 14 + SLACK
/** Milliseconds after which a peer that does not answer a close is cut off. */
const CLOSE_TIMEOUT = 2000
/** The most fragments that a frame may arrive in. */
const MAX_FRAGMENTS = 1024

/** Why a socket closes if its key has been revoked. */
const REVOKED = 'the API key is not valid any more'

/** Why a connection closes after an error; undefined if it can continue. */
function closeFor (error: unknown): { code: number, reason: string } | undefined {
  if (isUnreadable(error)) return { code: 1007, reason: 'the frame is not a JSON object' }
  return error instanceof InputError && error.kind === 'unauthorized' ? { code: 1008, reason: REVOKED } : undefined
}

/** Limits WebSockets: how many are open, who may open one, and for how long. It applies to the routes registered in its scope. */
export default fp<SocketsOptions>(async (app, { metrics, isValid, reserve, path, maxSockets, maxBytes, origins, timeout, idle, ping, log }) => {
  const connections = new Set<Connection>()
  const requests = new WeakMap<IncomingMessage, FastifyRequest>()
  let open = 0

  // Some of these options are newer than the plugin's types.
  const options = { maxPayload: maxBytes, maxFragments: MAX_FRAGMENTS, closeTimeout: CLOSE_TIMEOUT, handleProtocols: () => SUBPROTOCOL }
  await app.register(websocket, {
    options,
    // The protocol was violated: the socket has sent the reason to its peer and closes.
    errorHandler: (error, _socket, request) => request.log.debug(error, 'a socket failed'),
    preClose (done) {
      for (const connection of connections) connection.close(1012, 'the server is shutting down; another replica may answer')
      done()
    }
  })
  const isUpgrade = filterUpgrades(app.server, app.afterAnswers, (request) => offersSocket(request) && path.test(request.url?.split('?', 1)[0] ?? ''))

  app.addHook('onRequest', async (request) => {
    const { raw } = request
    if (!isUpgrade(raw)) return
    requests.set(raw, request)
    const { headers, socket } = raw
    const wrong = problemOfUpgrade(headers, origins)
    if (wrong !== undefined) throw wrong
    if (open >= maxSockets) throw new InputError('unavailable', { path: '', message: `no room for another WebSocket: ${open} of ${maxSockets} are open` })
    const reservation = reserve(SOCKET_BYTES)
    metrics.sockets(++open)
    socket.once('close', () => {
      metrics.sockets(--open)
      reservation.release()
    })
  })
  // Node.js has let go of the connection. If the request does not become a socket, the connection ends with the answer.
  app.addHook('onSend', async ({ raw }, reply) => { if (isUpgrade(raw)) reply.header('connection', 'close') })
  app.addHook('onResponse', async ({ raw }) => { if (isUpgrade(raw)) raw.socket.destroySoon() })

  // Fastify does not send the answer to an upgrade.
  app.websocketServer.on('headers', (lines: string[], raw: IncomingMessage) => {
    const model = requests.get(raw)?.model
    if (model !== undefined) lines.push(`${VERSION_HEADER}: ${model.version}`)
  })

  app.decorate('converse', (socket, request, conversation) => {
    const route = request.routeOptions.url ?? 'none'
    const model = request.model?.name ?? NO_MODEL
    const opened = performance.now()
    // A closed connection no longer knows its address.
    const client = request.ip
    const guarded: Conversation = {
      ...conversation,
      async answer (frame, call) {
        if (!isValid(request.key)) throw new InputError('unauthorized', { path: '', message: REVOKED })
        return await conversation.answer(frame, call)
      }
    }
    const connection = new Connection(socket, request.raw.socket, guarded, {
      reserve,
      refuse (error) {
        const problem = refuse(error instanceof Error ? error : new Error(String(error)), request)
        return { text: JSON.stringify(problem), status: problem.status, close: closeFor(error) }
      },
      answered (status, seconds) {
        metrics.answered({ route, model, status }, seconds, status === 200 ? undefined : request.refused)
      },
      timeout: 1000 * timeout,
      idle: 1000 * idle,
      ping: 1000 * ping
    })
    connections.add(connection)
    socket.once('close', (code) => {
      connections.delete(connection)
      if (log) request.log.info({ client, path: request.url.split('?', 1)[0].slice(0, 256), model, code, ...connection.tally, milliseconds: Math.round(performance.now() - opened) }, 'socket closed')
    })
  })

  const sweep = setInterval(() => {
    const now = performance.now()
    for (const connection of connections) connection.check(now)
  }, Math.min(1000, 500 * ping)).unref()
  app.addHook('onClose', async () => clearInterval(sweep))
}, { name: 'sockets', fastify: '5.x', dependencies: ['errors', 'connections', 'served-model'] })
