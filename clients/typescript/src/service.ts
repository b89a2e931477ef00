import { decode } from './decode.ts'
import { Http, type CallOptions, type HttpOptions } from './http.ts'
import { readLines } from './lines.ts'
import { encode, JSON_TYPE, SAFETENSORS, type Format } from './encode.ts'
import type { SocketConstructor } from './socket.ts'

export interface ClientOptions extends HttpOptions {
  /** How tensors travel: `safetensors`, or `json`. Requests that safetensors cannot represent go as JSON in any case. */
  readonly format?: Format | undefined
  /** Replaces the global `WebSocket`, which Node.js has from version 22 on. */
  readonly WebSocket?: SocketConstructor | undefined
}

/** The service's own forms of requests and answers. */
export class Service extends Http {
  readonly #format: Format
  readonly WebSocket: SocketConstructor | undefined

  constructor (url: string, options: ClientOptions) {
    super(url, options)
    this.#format = options.format ?? 'safetensors'
    this.WebSocket = options.WebSocket
  }

  /** Gets a JSON document. */
  async get<T> (path: string, options: CallOptions): Promise<T> {
    return await this.send({ method: 'GET', path, repeatable: true, headers: { accept: JSON_TYPE } }, options, readJson<T>)
  }

  /** Creates something. Not repeatable: another call would create a second one. */
  async create<T> (path: string, fields: object, options: CallOptions): Promise<T> {
    const { type, body } = encode(fields, [], this.#format)
    return await this.send({ method: 'POST', path, body, repeatable: false, headers: { 'content-type': type, accept: JSON_TYPE } }, options, readJson<T>)
  }

  /**
   * Computes tensors.
   *
   * @param inQuery the fields that go into the query string if the body is safetensors.
   */
  async compute (path: string, fields: object, inQuery: readonly string[], options: CallOptions): Promise<object> {
    const { query, type, body } = encode(fields, inQuery, this.#format)
    const headers = { 'content-type': type, accept: this.#format === 'json' ? JSON_TYPE : SAFETENSORS }
    const answer = await this.send({ method: 'POST', path: path + query, body, repeatable: true, headers }, options, readBytes)
    return decode(answer.body, answer.type)
  }

  /** Computes step by step. */
  async * stream (path: string, fields: object, inQuery: readonly string[], options: CallOptions): AsyncGenerator<object, void> {
    const { query, type, body } = encode(fields, inQuery, this.#format)
    const headers = { 'content-type': type, accept: 'application/x-ndjson' }
    const response = await this.send({ method: 'POST', path: path + query, body, repeatable: true, headers }, options, async (response) => response)
    yield * readLines(response, options.signal ?? this.options.signal)
  }
}

async function readJson<T> (response: Response): Promise<T> {
  return await response.json()
}

async function readBytes (response: Response): Promise<{ body: ArrayBuffer, type: string | null }> {
  return { body: await response.arrayBuffer(), type: response.headers.get('content-type') }
}

/** The error for a stream that ends before its last line. */
export function brokenOff (): Error {
  return new Error('the answer broke off')
}
