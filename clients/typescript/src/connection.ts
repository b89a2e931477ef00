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

/** `signal` ends the connection; `timeout` applies to opening it, and to each frame. */
export interface ConnectionOptions<F extends FrameField = FrameField> extends Omit<CallOptions, 'headers'> {
  /** The fields to answer, in addition to `t`; all if left out. */
  readonly fields?: readonly F[] | undefined
  /** How many frames may be in flight at once; further frames wait. 16 if left out; a session's frames go one by one. */
  readonly ahead?: number | undefined
}

export interface FrameOptions {
  /** Gives up waiting for the answer; the steps may have been taken. */
  readonly signal?: AbortSignal | undefined
}

/** The row's owner and position. */
interface Row {
  readonly model: string
  readonly session?: string
  /** `t` is NaN after binary frames, which do not say how many steps they took. */
  readonly place: { t: number }
}

/** Codes for connections that were closed because of what was sent; sending it again would fail again. */
const FINAL: ReadonlyArray<number | undefined> = [1002, 1007, 1008, 1009]

/** A connection to a session's row, which begins at the session's current step. */
export type SessionConnection<F extends FrameField = FrameField> = Omit<Connection<F>, 'begin' | 'floats'>

/**
 * A WebSocket whose frames advance a row. Frames are answered in order, and each states how many steps come before it, so that after a
 * failed frame none is taken by mistake. If a session's connection is lost, it is reopened and unanswered frames are sent again; a row
 * of the connection's own is lost with it.
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
  /** A frame is about to be sent again: no other frame may overtake it. */
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

  /** @throws Problem if the model or session does not exist, ConnectionError if no WebSocket can be opened. */
  static async open<F extends FrameField> (service: Service, row: Row, options: ConnectionOptions<F>): Promise<Connection<F>> {
    const connection = new Connection(service, row, options)
    await connection.#persist(async (signal) => { connection.#pipe = await connection.#open(signal) }, isLost, options.signal)
    options.signal?.addEventListener('abort', () => connection.close(), { once: true })
    return connection
  }

  /** How many steps the row has taken, as far as the client knows. */
  get t (): number {
    return this.#row.place.t
  }

  /** Sets where the row begins, instead of at zeros. If it has already taken steps, they and its context are forgotten. */
  async begin (start: RowStart = {}, options: FrameOptions = {}): Promise<RowPlace> {
    return expect(await this.#ask(() => toJson({ begin: true, ...start }), NaN, options, true), isPlace)
  }

  async step (request: FrameStep, options: FrameOptions = {}): Promise<Pick<FrameStepAnswer, F | 't'>> {
    return expect(await this.#ask((t) => toJson({ ...request, t: request.t ?? t }), 1, options), this.#isStep)
  }

  /** Takes several steps: all of them, or none. */
  async sequence (request: FrameSequence, options: FrameOptions = {}): Promise<Pick<FrameSequenceAnswer, F | 't'>> {
    const { x, ids, steps } = request
    const count = steps ?? ids?.length ?? (x === undefined ? 0 : 'shape' in x ? x.shape[0] : x.length)
    return expect(await this.#ask((t) => toJson({ ...request, t: request.t ?? t }), count, options), this.#isSequence)
  }

  /**
   * Takes the steps of an iterable, and yields their answers in order. It requests further steps only as fast as the answers are read.
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
          // A rejection is reported when the answer's turn comes.
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
   * Takes steps with a binary frame: `[T, I]`, or `[T]` for ids. The answer contains the steps' outputs, each followed by its y if the
   * model has a readout.
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
   * @param frame builds the frame, given how many steps come before it, if that is known.
   * @param alone whether nothing else is sent until it is answered.
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
        // It is unknown whether the frame was processed.
        if (signal.aborted) this.#pipe?.close(new ConnectionError('a frame was not answered in time'))
        throw error
      }
    }, (error) => error instanceof Problem ? error.status === 503 && this.#inFlight.length === 1 : this.#row.session !== undefined && isLost(error))
  }

  /** Repeats work that can fail until it succeeds, if repeating it is safe. */
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
      // A WebSocket does not report why it was refused, so ask over HTTP.
      await this.#service.get(session === undefined ? `/models/${encodeURIComponent(model)}` : `/sessions/${encodeURIComponent(session)}`, { signal, retries: 0 })
      throw error
    }
  }
}

function isLost (error: unknown): boolean {
  return error instanceof Problem ? error.status === 502 || error.status === 503 : error instanceof ConnectionError && !FINAL.includes(error.code)
}

/** @throws Problem if the answer is a problem. */
function parse (answer: unknown): object {
  if (isBuffer(answer)) return answer
  const parsed: object = JSON.parse(String(answer))
  if (isDetails(parsed)) throw new Problem(parsed)
  return decodeJson(parsed)
}

function isBuffer (value: unknown): value is ArrayBuffer {
  return Object.prototype.toString.call(value) === '[object ArrayBuffer]'
}
