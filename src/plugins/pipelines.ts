import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** How many POSTs of a connection are answered at the same time. Other requests, whose answers may be large, are answered one by one. */
const DEPTH = 16
/** How many further requests of a connection may wait before it is read no further, and how many of all; each takes about 3 KB. */
const MAX_WAITING = 64
const MAX_WAITING_OF_ALL = 4096

/** The requests of a connection. */
interface Pipeline {
  /** The responses in the order in which they are sent; some at the front may already have been sent. */
  readonly responses: ServerResponse[]
  latest: ServerResponse | undefined
  /** How many requests wait for an earlier response. */
  waiting: number
}

export interface Pipelines {
  /** Calls `then` once all earlier requests on the connection have been answered. */
  afterAnswers (socket: Socket, then: () => void): void
  /** The response to the connection's latest request. */
  latest (socket: Socket): ServerResponse | undefined
  /** Whether a response is the connection's, and has not been sent. Node.js does not emit the request of a WebSocket as one. */
  has (socket: Socket, response: ServerResponse): boolean
}

/**
 * Makes a server answer the requests that a connection sends without waiting in turn. Otherwise a client that sends many requests and
 * reads nothing would fill the memory with answers.
 */
export function answerInTurn (server: Server): Pipelines {
  const pipelines = new WeakMap<Socket, Pipeline>()
  let waiting = 0

  /** The responses that have not been sent yet. */
  function unsent (socket: Socket): ServerResponse[] {
    const all = pipelines.get(socket)?.responses ?? []
    while (all.length > 0 && all[0].writableFinished) all.shift()
    return all
  }

  server.on('connection', (socket) => {
    const pipeline: Pipeline = { responses: [], latest: undefined, waiting: 0 }
    pipelines.set(socket, pipeline)
    // Node.js resumes a connection for each of its requests.
    socket.on('resume', () => { if (pipeline.waiting > MAX_WAITING) socket.pause() })
    // A response that waits for the one before it has no socket yet, so Node.js does not notify it when the connection closes.
    socket.once('close', () => { for (const response of unsent(socket)) if (response.socket === null) response.emit('close') })
  })

  const listeners = server.rawListeners('request')
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    const pipeline = pipelines.get(socket)
    if (pipeline === undefined) return
    pipeline.latest = response
    const all = unsent(socket)
    const earlier = all[all.length - (request.method === 'POST' ? DEPTH : 1)]
    all.push(response)
    inTurn(socket, pipeline, earlier, () => {
      for (const listener of listeners) Reflect.apply(listener, server, [request, response])
    })
  })

  /** Answers a request once an earlier one, if there is one, has been answered. */
  function inTurn (socket: Socket, pipeline: Pipeline, earlier: ServerResponse | undefined, answer: () => void): void {
    if (earlier === undefined) answer()
    else if (waiting === MAX_WAITING_OF_ALL) socket.destroy()
    else {
      waiting++
      if (++pipeline.waiting > MAX_WAITING) socket.pause()
      earlier.once('close', () => setImmediate(() => {
        waiting--
        if (--pipeline.waiting === MAX_WAITING) socket.resume()
        if (!socket.destroyed) answer()
      }))
    }
  }

  return {
    afterAnswers (socket, then) {
      const last = unsent(socket).findLast(({ req }) => req.complete)
      if (last === undefined) then()
      else last.once('close', then)
    },
    latest: (socket) => pipelines.get(socket)?.latest,
    has: (socket, response) => unsent(socket).includes(response)
  }
}
