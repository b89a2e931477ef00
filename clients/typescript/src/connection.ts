import type { FrameSequenceAnswer, FrameStepAnswer, RowPlace } from './answers.ts'
import { decodeJson, expect, isPlace, judge, type Judge } from './decode.ts'
import { toJson } from './encode.ts'
import type { CallOptions } from './http.ts'
import { isDetails, Problem } from './problem.ts'
import type { FrameField, FrameSequence, FrameStep, RowStart } from './requests.ts'
import type { Service } from './service.ts'
import { ConnectionError, Pipe, type Frame } from './socket.ts'
import { toBase64url } from './base64url.ts'
import { deadlineOf, pauseBefore, sleep, Turns, unlessAborted } from './waiting.ts'

/** `signal` ends the connection; `timeout` is that of opening it, and of each frame. */
export interface ConnectionOptions<F extends FrameField = FrameField> extends Omit<CallOptions, 'headers'> {
  /** The fields to answer beside `t`; all if left out. */
  readonly fields?: readonly F[] | undefined
  /** How many frames may be on their way at once; more wait. 16 if left out; those of a session go one by one. */
  readonly ahead?: number | undefined
}

export interface FrameOptions {
  /** Gives up waiting for the answer; the steps may have been taken. */
  readonly signal?: AbortSignal | undefined
}

/** Whose row it is, and where that is. */
interface Row {
  readonly model: string
  readonly session?: string
  /** `t` is NaN after binary frames, which do not say how many steps they took. */
  readonly place: { t: number }
}

/** Closed because of what was sent, which would come to the same again. */
const FINAL: ReadonlyArray<number | undefined> = [1002, 1007, 1008, 1009]

/** A connection to a session's row, which begins where the session is. */
export type SessionConnection<F extends FrameField = FrameField> = Omit<Connection<F>, 'begin' | 'floats'>

/**
 * A WebSocket, whose frames take a row further. Frames are answered in their order, and each says how many steps go before it: after one
 * that fails none is taken by mistake. A session's connection that is lost is opened again, and what was not answered is sent again;
 * a connection's own row is lost with it.
 */
export class Connection<F extends FrameField = FrameField> {
  readonly #service: Service
  readonly #row: Row
  readonly #options: ConnectionOptions<F>
  readonly #isStep: Judge<Pick<FrameStepAnswer, F | 't'>>
  readonly #isSequence: Judge<Pick<FrameSequenceAnswer, F | 't'>>
  readonly #ahead: number
  readonly #turns = new Turns()
  readonly #inFlight: Array<{ readonly steps: number, readonly settled: Promise<void> }> = []
  #pipe: Pipe | undefined
  /** A frame is about to be sent again: no other may go before it. */
  #paused = false
  #closed = false

  private constructor (service: Service, row: Row, options: ConnectionOptions<F>) {
    const required = options.fields === undefined ? ['t', 'output'] : ['t']
    this.#service = service
    this.#row = row
    this.#options = options
    this.#ahead = row.session === undefined ? options.ahead ?? 16 : 1
    this.#isStep = judge({ output: 1, y: 1, parts: 1 }, ...required)
    this.#isSequence = judge({ output: 2, y: 2, parts: 2 }, ...required)
  }

  /** @throws Problem if there is no such model or session, ConnectionError if no WebSocket can be opened. */
  static async open<F extends FrameField> (service: Service, row: Row, options: ConnectionOptions<F>): Promise<Connection<F>> {
    const connection = new Connection(service, row, options)
    await connection.#persist(async (signal) => { connection.#pipe = await connection.#open(signal) }, isLost, options.signal)
    options.signal?.addEventListener('abort', () => connection.close(), { once: true })
    return connection
  }

  /** How many steps the row has taken, as far as is known. */
  get t (): number {
    return this.#row.place.t
  }

  /** Where the row begins, instead of at zeros; if it has taken steps already, they are forgotten, and its context, too. */
  async begin (start: RowStart = {}, options: FrameOptions = {}): Promise<RowPlace> {
    return expect(await this.#ask(() => toJson({ begin: true, ...start }), NaN, options, true), isPlace)
  }

  async step (request: FrameStep, options: FrameOptions = {}): Promise<Pick<FrameStepAnswer, F | 't'>> {
    return expect(await this.#ask((t) => toJson({ ...request, t: request.t ?? t }), 1, options), this.#isStep)
  }

  /** All of the steps are taken, or none. */
  async sequence (request: FrameSequence, options: FrameOptions = {}): Promise<Pick<FrameSequenceAnswer, F | 't'>> {
    const { x, ids, steps } = request
    const count = steps ?? ids?.length ?? (x === undefined ? 0 : 'shape' in x ? x.shape[0] : x.length)
    return expect(await this.#ask((t) => toJson({ ...request, t: request.t ?? t }), count, options), this.#isSequence)
  }

  /**
   * Takes the steps of an iterable, and yields their answers as they come. It asks for further steps only as fast as its answers are
   * read.
   */
  async * steps (requests: Iterable<FrameStep> | AsyncIterable<FrameStep>, options: FrameOptions = {}): AsyncGenerator<Pick<FrameStepAnswer, F | 't'>, void> {
    const source = Symbol.asyncIterator in requests ? requests[Symbol.asyncIterator]() : requests[Symbol.iterator]()
    const answers: Array<Promise<Pick<FrameStepAnswer, F | 't'>>> = []
    let next: Promise<IteratorResult<FrameStep>> | undefined
    let done = false
    try {
      for (;;) {
        if (!done && answers.length < this.#ahead) next ??= Promise.resolve(source.next())
        if (next === undefined && answers.length === 0) return
        const event = await unlessAborted(Promise.race([
          ...answers.slice(0, 1).map(async (answer) => ({ answer: await answer })),
          ...(next === undefined ? [] : [next.then((result) => ({ result }))])
        ]), options.signal)
        if ('answer' in event) {
          void answers.shift()
          yield event.answer
        } else if (event.result.done === true) {
          done = true
          next = undefined
        } else {
          const answer = this.step(event.result.value, options)
          // It is told when its turn has come.
          answer.catch(() => {})
          answers.push(answer)
          next = undefined
        }
      }
    } finally {
      Promise.resolve(source.return?.()).catch(() => {})
    }
  }

  /**
   * Takes steps by a binary frame, `[T, I]`, or `[T]` of ids. Its answer has the steps' outputs, each followed by its y if the model has
   * a readout.
   */
  async floats (x: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>, options: FrameOptions = {}): Promise<Float32Array> {
    if (this.#row.session !== undefined) throw new TypeError('a binary frame does not say how many steps go before it, so a session could take it twice: use step or sequence')
    const answer = await this.#ask(() => x, NaN, options)
    if (!isBuffer(answer)) throw new TypeError('the service answered a binary frame otherwise')
    return new Float32Array(answer)
  }

  close (): void {
    this.#closed = true
    this.#pipe?.close(new ConnectionError('the connection is closed'))
  }

  /**
   * Sends a frame when its turn has come, and waits for its answer.
   *
   * @param frame given how many steps have been taken before it, if that is known.
   * @param alone whether nothing is sent until it is answered.
   */
  async #ask (frame: (t: number | undefined) => Frame, steps: number, { signal }: FrameOptions, alone = false): Promise<object> {
    const answering = this.#turns.take(async () => {
      while (this.#inFlight.length >= (this.#paused ? 1 : this.#ahead)) await this.#inFlight[0].settled
      signal?.throwIfAborted()
      const t = this.#inFlight.reduce((sum, each) => sum + each.steps, this.t)
      const answer = this.#exchange(frame(Number.isNaN(t) ? undefined : t))
      const settled = answer.then((data) => { this.#row.place.t = isPlace(data) ? data.t : NaN }, () => {}).finally(() => { this.#inFlight.shift() })
      this.#inFlight.push({ steps, settled })
      if (alone) await settled
      return { answer }
    }).then(async ({ answer }) => await answer)
    return await unlessAborted(answering, signal)
  }

  async #exchange (frame: Frame): Promise<object> {
    return await this.#persist(async (signal) => {
      try {
        if (this.#closed) throw new ConnectionError('the connection is closed')
        if (this.#row.session !== undefined) this.#pipe ??= await this.#open(signal)
        if (this.#pipe === undefined) throw new ConnectionError('the connection has ended')
        return parse(await unlessAborted(this.#pipe.exchange(frame), signal))
      } catch (error) {
        if (error instanceof ConnectionError) this.#pipe = undefined
        // Whether it was taken is not known.
        if (signal.aborted) this.#pipe?.close(new ConnectionError('a frame was not answered in time'))
        throw error
      }
    }, (error) => error instanceof Problem ? error.status === 503 && this.#inFlight.length === 1 : this.#row.session !== undefined && isLost(error))
  }

  /** Does what may fail until it succeeds, if that is safe. */
  async #persist<T> (work: (signal: AbortSignal) => Promise<T>, mayRepeat: (error: unknown) => boolean, caller?: AbortSignal): Promise<T> {
    const { timeout = this.#service.options.timeout ?? 60, retries = this.#service.options.retries ?? 5 } = this.#options
    const deadline = deadlineOf(timeout, caller)
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          return await work(deadline.signal)
        } catch (error) {
          const wait = pauseBefore(attempt)
          if (this.#closed || attempt >= retries || Date.now() + wait > deadline.at || !mayRepeat(error)) throw error
          this.#paused = true
          await sleep(wait, deadline.signal)
        }
      }
    } finally {
      this.#paused = false
      deadline.release()
    }
  }

  async #open (signal: AbortSignal): Promise<Pipe> {
    const { model, session } = this.#row
    const { fields } = this.#options
    const { url, WebSocket, options: { apiKey } } = this.#service
    const query = new URLSearchParams({ ...(session !== undefined && { session }), ...(fields !== undefined && { fields: fields.join() }) })
    const protocols = apiKey === undefined ? [] : ['cellserve', `bearer.${toBase64url(apiKey)}`]
    try {
      return await Pipe.open(`${url.replace(/^http/, 'ws')}/models/${encodeURIComponent(model)}/stream?${String(query)}`, protocols, WebSocket, signal)
    } catch (error) {
      signal.throwIfAborted()
      // A WebSocket does not say why it was refused.
      await this.#service.get(session === undefined ? `/models/${encodeURIComponent(model)}` : `/sessions/${encodeURIComponent(session)}`, { signal, retries: 0 })
      throw error
    }
  }
}

function isLost (error: unknown): boolean {
  return error instanceof Problem ? error.status === 502 || error.status === 503 : error instanceof ConnectionError && !FINAL.includes(error.code)
}

/** @throws Problem if the answer is one. */
function parse (answer: unknown): object {
  if (isBuffer(answer)) return answer
  const parsed: object = JSON.parse(String(answer))
  if (isDetails(parsed)) throw new Problem(parsed)
  return decodeJson(parsed)
}

function isBuffer (value: unknown): value is ArrayBuffer {
  return Object.prototype.toString.call(value) === '[object ArrayBuffer]'
}
