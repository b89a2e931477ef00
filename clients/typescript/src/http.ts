import { Problem, readProblem } from './problem.ts'
import { deadlineOf, pauseBefore, sleep } from './waiting.ts'

export interface CallOptions {
  /** Aborts the call. */
  readonly signal?: AbortSignal | undefined
  /** Seconds that the call may take, including all attempts; for a stream, until its answer begins. 60 if left out. */
  readonly timeout?: number | undefined
  /** How many times a call that is safe to repeat may be sent again. 5 if left out. */
  readonly retries?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export interface HttpOptions extends CallOptions {
  /** Sent as `Authorization: Bearer`. */
  readonly apiKey?: string | undefined
  /** Replaces the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: string | Uint8Array<ArrayBuffer>
  readonly headers?: Readonly<Record<string, string>>
  /** Whether to send it again if it is unknown whether the service processed it. Refused calls are sent again in any case. */
  readonly repeatable: boolean
}

/** Sends requests, and retries those that are safe to repeat. */
export class Http {
  /** The address of the service, without a trailing slash. */
  readonly url: string
  readonly options: HttpOptions

  /** @throws TypeError if the address is not a URL. */
  constructor (url: string, options: HttpOptions) {
    this.url = new URL(url).href.replace(/\/+$/, '')
    this.options = options
  }

  /**
   * @param receive reads the body; if the connection breaks while it reads, the attempt has failed like any other.
   * @throws Problem if the service refuses the call, what `fetch` throws if it cannot be reached, or the signal's reason.
   */
  async send<T> ({ method, path, body, headers, repeatable }: Call, options: CallOptions, receive: (response: Response) => Promise<T>): Promise<T> {
    const { apiKey, fetch = globalThis.fetch } = this.options
    const retries = options.retries ?? this.options.retries ?? 5
    const deadline = deadlineOf(options.timeout ?? this.options.timeout ?? 60, options.signal ?? this.options.signal)
    const request: RequestInit = {
      method,
      signal: deadline.signal,
      headers: { ...headers, ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }), ...this.options.headers, ...options.headers },
      ...(body !== undefined && { body })
    }
    try {
      for (let attempt = 0; ; attempt++) {
        let failure: unknown
        try {
          const response = await fetch(this.url + path, request)
          if (response.ok) return await receive(response)
          failure = await readProblem(response)
        } catch (error) {
          deadline.signal.throwIfAborted()
          failure = error
        }
        const wait = pauseBefore(attempt, failure instanceof Problem ? failure.retryAfter : 0)
        if (attempt >= retries || Date.now() + wait > deadline.at || !mayRepeat(failure, repeatable)) throw failure
        await sleep(wait, deadline.signal)
      }
    } finally {
      deadline.release()
    }
  }
}

function mayRepeat (failure: unknown, repeatable: boolean): boolean {
  if (!(failure instanceof Problem)) return repeatable
  return failure.status === 503 || (failure.status === 502 && repeatable)
}
