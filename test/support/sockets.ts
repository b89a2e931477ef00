import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { WebSocket, type ClientOptions } from 'ws'

/** What a frame was answered: a parsed text, or bytes as they are. */
export type Told = Record<string, unknown> | Buffer

/** The client's end of a WebSocket. */
export interface Client {
  readonly socket: WebSocket
  /** Sends a frame: an object as JSON, a text, or bytes. */
  send (frame: object | string | Uint8Array): void
  /** The next frame that has not been read. */
  next (): Promise<Told>
  /** Sends a frame, and reads the next. */
  ask (frame: object | string | Uint8Array): Promise<Told>
  /** The code and the reason with which it was closed. */
  readonly closed: Promise<{ code: number, reason: string }>
}

export interface Wanted extends ClientOptions {
  readonly protocols?: string[]
}

/** A socket of an app, open; it ends with the test. */
export async function openSocket (t: Pick<TestContext, 'after'>, app: { readonly listeningOrigin: string }, path: string, { protocols = [], ...options }: Wanted = {}): Promise<Client> {
  const socket = new WebSocket(`${app.listeningOrigin.replace('http', 'ws')}${path}`, protocols, { perMessageDeflate: false, ...options })
  t.after(() => socket.terminate())
  const told: Told[] = []
  const waiting: Array<(told: Told) => void> = []
  socket.on('message', (data: Buffer, binary) => {
    const one: Told = binary ? data : JSON.parse(data.toString())
    const next = waiting.shift()
    if (next === undefined) told.push(one)
    else next(one)
  })
  const closed = once(socket, 'close').then(([code, reason]) => ({ code: Number(code), reason: String(reason) }))
  closed.catch(() => {})
  await once(socket, 'open')
  const client: Client = {
    socket,
    send: (frame) => socket.send(typeof frame === 'string' || frame instanceof Uint8Array ? frame : JSON.stringify(frame)),
    async next () { return told.shift() ?? await new Promise((resolve) => { waiting.push(resolve) }) },
    async ask (frame) {
      client.send(frame)
      return await client.next()
    },
    closed
  }
  return client
}

/** Numbers as a binary frame has them. */
export function floats (...values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer)
}

/** What a binary frame has. */
export function numbersIn (told: Told): number[] {
  if (!(told instanceof Buffer)) throw new Error(`expected a binary frame, got ${JSON.stringify(told)}`)
  return [...new Float32Array(Uint8Array.from(told).buffer)]
}

/** The answer to a handshake that is refused. */
export async function refusedSocket (app: { readonly listeningOrigin: string }, path: string, { protocols = [], ...options }: Wanted = {}): Promise<{ status: number | undefined, body: Record<string, unknown> }> {
  const socket = new WebSocket(`${app.listeningOrigin.replace('http', 'ws')}${path}`, protocols, options)
  const [, response] = await once(socket, 'unexpected-response')
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode, body: JSON.parse(text) }
}
