import type { IncomingHttpHeaders, IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { HttpError } from '../errors.ts'

/** The subprotocol that is used with clients that offer any. */
export const SUBPROTOCOL = 'cellserve'

/** Whether a request upgrades to a WebSocket. */
export type IsSocket = (request: IncomingMessage) => boolean

/**
 * Once there is a listener for upgrades, Node.js treats every request that offers one as an upgrade, even to HTTP/2, and does not
 * read its body. Only a request for a WebSocket, on a path that has one, is passed to the listeners. Any other offer is ignored,
 * as HTTP allows, and the request is read again without it.
 *
 * @param afterAnswers calls back once all earlier requests on the connection have been answered.
 * @returns a function that tells whether a request was passed to the listeners.
 */
export function filterUpgrades (server: Server, afterAnswers: (socket: Socket, then: () => void) => void, isSocket: IsSocket): IsSocket {
  // Node.js 24.9 and newer call this; a request that is not for a WebSocket is then an ordinary one, and is not emitted as an upgrade.
  Reflect.set(server, 'shouldUpgradeCallback', isSocket)
  const upgrades = new WeakSet<IncomingMessage>()
  const listeners = server.rawListeners('upgrade')
  server.removeAllListeners('upgrade')
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // Node.js has let go of the connection.
    const onError = (): void => { socket.destroy() }
    socket.on('error', onError)
    afterAnswers(socket, () => {
      if (socket.destroyed) return
      socket.off('error', onError)
      if (isSocket(request)) {
        upgrades.add(request)
        for (const listener of listeners) Reflect.apply(listener, server, [request, socket, head])
        return
      }
      // The listeners for new connections receive this one again.
      for (const event of ['close', 'timeout', 'error', 'resume']) socket.removeAllListeners(event)
      socket.unshift(Buffer.concat([headWithoutOffer(request), head]))
      server.emit('connection', socket)
    })
  })
  return (request) => upgrades.has(request)
}

function headWithoutOffer ({ method = 'GET', url = '/', httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i].toLowerCase() !== 'upgrade') text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  }
  return Buffer.from(`${text}\r\n`, 'latin1')
}

/** Whether a request offers to become a WebSocket. */
export function offersSocket ({ method, headers: { upgrade = '' } }: IncomingMessage): boolean {
  return method === 'GET' && upgrade.toLowerCase() === 'websocket'
}

/** A key of 16 bytes, base64. */
const KEY = /^[\w+/]{22}==$/

/**
 * What is wrong with a request for a WebSocket, if anything is.
 *
 * @param origins origins whose pages may call, in addition to the service's own. Browsers send no preflight for a socket, so CORS does not apply.
 */
export function problemOfUpgrade ({ origin, host = '', ...headers }: IncomingHttpHeaders, origins: readonly string[]): HttpError | undefined {
  if (origin !== undefined && !origins.includes('*') && !origins.includes(origin) && hostOf(origin) !== host.toLowerCase()) {
    return new HttpError(403, `pages of ${JSON.stringify(origin.slice(0, MAX_SHOWN))} may not open a WebSocket here; pages of other origins may if --cors-origin names them`)
  }
  const version = headers['sec-websocket-version']
  if (version !== '13') return new HttpError(400, `expected the header sec-websocket-version to be 13, got ${version === undefined ? 'none' : JSON.stringify(version.slice(0, MAX_SHOWN))}`)
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) return new HttpError(400, 'expected 16 bytes as base64 in the header sec-websocket-key')
  const offered = headers['sec-websocket-protocol']
  if (offered !== undefined && !protocolsOf(offered).includes(SUBPROTOCOL)) {
    return new HttpError(400, `expected ${SUBPROTOCOL} among the subprotocols offered: the service speaks no other`)
  }
  return undefined
}
const MAX_SHOWN = 100

function protocolsOf (header: string): string[] {
  return header.split(',').map((name) => name.trim())
}

function hostOf (origin: string): string | undefined {
  try {
    return new URL(origin).host
  } catch {
    return undefined
  }
}
