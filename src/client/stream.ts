import type { Problem } from './openapi.ts'

/** What a text frame may ask. */
export interface StreamFrame {
  /** One step, `[I]`, or many, `[T][I]`. */
  readonly x?: readonly number[] | ReadonlyArray<readonly number[]>
  /** In the place of x, for a model that begins with an embedding. */
  readonly ids?: number | readonly number[]
  /** Feed the same x this many times. */
  readonly steps?: number
  readonly parts?: readonly string[]
  readonly return_sequences?: boolean
  /** How many steps have been taken before. */
  readonly t?: number
  /** Begin anew. */
  readonly begin?: boolean
  readonly h_in?: readonly number[]
  readonly c_in?: readonly number[]
  readonly h_0?: readonly number[]
  readonly context?: unknown
  /** A token to go on from, or `true` to be answered a token of the row. */
  readonly state?: string | boolean
}

/** Its answer: vectors after a single step, lists of them after many. */
export interface StreamAnswer {
  readonly t: number
  readonly output?: number[] | number[][]
  readonly y?: number[] | number[][]
  readonly parts?: Readonly<Record<string, number[] | number[][]>>
  readonly state?: string
}

/** What the service refused, or why the connection ended. */
export class StreamError extends Error {
  override readonly name = 'StreamError'
  readonly problem: Problem | undefined

  constructor (message: string, problem?: Problem) {
    super(message)
    this.problem = problem
  }
}

/** What is used of a WebSocket, which browsers have, and Node.js from version 22 on. */
export interface Socket {
  binaryType: string
  addEventListener (type: 'open' | 'error', listener: () => void): void
  addEventListener (type: 'message', listener: (event: { readonly data: unknown }) => void): void
  addEventListener (type: 'close', listener: (event: { readonly code: number, readonly reason: string }) => void): void
  send (data: string | Float32Array<ArrayBuffer>): void
  close (code?: number): void
}

export interface StreamOptions {
  /** The address of the service, such as `http://127.0.0.1:8080`. */
  readonly baseUrl: string
  readonly model: string
  readonly apiKey?: string
  /** A stored session whose steps these are; left out, the connection has a row of its own. */
  readonly session?: string
  /** The fields to answer; all if left out. */
  readonly fields?: ReadonlyArray<'output' | 'y' | 'parts' | 'state'>
  /** Opens the socket, where there is no WebSocket. */
  readonly connect?: (url: string, protocols: string[]) => Socket
}

/** A row that a WebSocket takes further. Frames may be sent before the last is answered. */
export interface Stream {
  /** Asks by a text frame. It rejects with a StreamError if the service refuses it. */
  ask (frame: StreamFrame): Promise<StreamAnswer>
  /** Takes steps by a binary frame, `[T][I]`, and has their outputs, each followed by its y if the model has a readout. */
  steps (x: Float32Array<ArrayBuffer>): Promise<Float32Array>
  close (): void
}

interface Waiting {
  resolve (data: unknown): void
  reject (error: Error): void
}

/** Opens a WebSocket to a model: its connection is a session. */
export async function openStream ({ baseUrl, model, apiKey, session, fields, connect = connectGlobal }: StreamOptions): Promise<Stream> {
  const url = new URL(`${baseUrl.replace(/\/$/, '').replace(/^http/, 'ws')}/models/${encodeURIComponent(model)}/stream`)
  if (session !== undefined) url.searchParams.set('session', session)
  if (fields !== undefined) url.searchParams.set('fields', fields.join())
  const socket = connect(url.href, apiKey === undefined ? [] : ['cellserve', `bearer.${base64url(apiKey)}`])
  socket.binaryType = 'arraybuffer'
  const waiting: Waiting[] = []
  let ended: StreamError | undefined

  socket.addEventListener('message', ({ data }) => waiting.shift()?.resolve(data))
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', () => reject(new StreamError(`no WebSocket could be opened to ${url.href}`)))
    socket.addEventListener('close', ({ code, reason }) => {
      ended = new StreamError(`the connection has ended: ${code}${reason === '' ? '' : `, ${reason}`}`)
      for (const { reject } of waiting.splice(0)) reject(ended)
      reject(ended)
    })
  })

  async function send (frame: string | Float32Array<ArrayBuffer>): Promise<unknown> {
    if (ended !== undefined) throw ended
    const answer = await new Promise<unknown>((resolve, reject) => {
      waiting.push({ resolve, reject })
      socket.send(frame)
    })
    if (typeof answer !== 'string') return answer
    const parsed: { readonly status?: unknown } = JSON.parse(answer)
    if (isProblem(parsed)) throw new StreamError(parsed.detail, parsed)
    return parsed
  }

  return {
    async ask (frame) {
      const answer = await send(JSON.stringify(frame))
      if (!isAnswer(answer)) throw new StreamError('the service answered a text frame otherwise')
      return answer
    },
    async steps (x) {
      const answer = await send(x)
      if (!(answer instanceof ArrayBuffer)) throw new StreamError('the service answered a binary frame otherwise')
      return new Float32Array(answer)
    },
    close: () => socket.close(1000)
  }
}

function isProblem (answer: object): answer is Problem {
  return 'status' in answer && 'detail' in answer
}

function isAnswer (answer: unknown): answer is StreamAnswer {
  return typeof answer === 'object' && answer !== null && 't' in answer
}

function connectGlobal (url: string, protocols: string[]): Socket {
  const { WebSocket }: { WebSocket?: new (url: string, protocols: string[]) => Socket } = globalThis
  if (WebSocket === undefined) throw new StreamError('there is no WebSocket here: pass connect, or take Node.js 22 or newer')
  return new WebSocket(url, protocols)
}

/** Keys are ASCII. */
function base64url (text: string): string {
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
