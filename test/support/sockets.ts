import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { WebSocket, type ClientOptions } from 'ws'

/** What can be sent: an object as JSON, a text, or bytes. */
export type Sent = object | string | Uint8Array

/** The client's end of a WebSocket. */
export interface Client {
  readonly socket: WebSocket
  send (frame: Sent): void
  /** The next text frame, parsed. */
  next (): Promise<Record<string, unknown>>
  /** The numbers of the next binary frame. */
  nextNumbers (): Promise<number[]>
  /** Sends a frame, and reads the next one. */
  ask (frame: Sent): Promise<Record<string, unknown>>
  askNumbers (frame: Sent): Promise<number[]>
  /** The code and reason of the close. */
  readonly closed: Promise<{ code: number, reason: string }>
}

export interface Wanted extends ClientOptions {
  readonly protocols?: string[]
}

/** Opens a socket of an app. It ends with the test. */
export async function openSocket (t: Pick<TestContext, 'after'>, app: { readonly listeningOrigin: string }, path: string, { protocols = [], ...options }: Wanted = {}): Promise<Client> {
  const socket = new WebSocket(`${app.listeningOrigin.replace('http', 'ws')}${path}`, protocols, { perMessageDeflate: false, ...options })
  t.after(() => socket.terminate())
  const told: Array<readonly [data: Buffer, binary: boolean]> = []
  const waiting: Array<(told: readonly [Buffer, boolean]) => void> = []
  socket.on('message', (data: Buffer, binary) => {
    const next = waiting.shift()
    if (next === undefined) told.push([data, binary])
    else next([data, binary])
  })
  const closed = once(socket, 'close').then(([code, reason]) => ({ code: Number(code), reason: String(reason) }))
  closed.catch(() => {})
  await once(socket, 'open')
  const next = async (binary: boolean): Promise<Buffer> => {
    const [data, isBinary] = told.shift() ?? await new Promise<readonly [Buffer, boolean]>((resolve) => { waiting.push(resolve) })
    assert.equal(isBinary, binary, `a frame that is ${isBinary ? 'bytes' : data.toString()}`)
    return data
  }
  const client: Client = {
    socket,
    closed,
    send: (frame) => socket.send(typeof frame === 'string' || frame instanceof Uint8Array ? frame : JSON.stringify(frame)),
    next: async () => JSON.parse((await next(false)).toString()),
    nextNumbers: async () => [...new Float32Array(Uint8Array.from(await next(true)).buffer)],
    async ask (frame) {
      client.send(frame)
      return await client.next()
    },
    async askNumbers (frame) {
      client.send(frame)
      return await client.nextNumbers()
    }
  }
  return client
}

/** Numbers as a binary frame. */
export function floats (...values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer)
}

/** Requests a socket that is refused, and returns the answer. */
export async function refusedSocket (app: { readonly listeningOrigin: string }, path: string, { protocols = [], ...options }: Wanted = {}): Promise<{ status: number | undefined, body: Record<string, unknown> }> {
  const socket = new WebSocket(`${app.listeningOrigin.replace('http', 'ws')}${path}`, protocols, options)
  const [, response] = await once(socket, 'unexpected-response')
  const connection = response.socket
  let text = ''
  for await (const chunk of response) text += String(chunk)
  connection.destroy()
  return { status: response.statusCode, body: JSON.parse(text) }
}
