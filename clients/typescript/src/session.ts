import type { RowPlace, RowSequenceAnswer, RowStepAnswer } from './answers.ts'
import { Connection, type ConnectionOptions, type SessionConnection } from './connection.ts'
import { decodeJson, expect, isRowLine, isRowSequence, isRowStep } from './decode.ts'
import type { CallOptions } from './http.ts'
import type { Session as Description, SessionExport as Export } from './openapi.ts'
import { Problem } from './problem.ts'
import type { Context, FrameField, RowSequence, RowStep } from './requests.ts'
import { brokenOff, type Service } from './service.ts'
import { Turns } from './waiting.ts'

/** The complete state of a session; `state` is a token of its row. */
export interface SessionExport extends Omit<Export, 'context'> {
  readonly context?: Context
}

/** The fields that go into the query string. */
const OPTIONS = ['t']

/**
 * A row that the service keeps, with its context. The client counts its steps, so that each can be sent again without being taken
 * twice. Calls run one after the other. If other clients take steps of the same session, calls can fail with 409 problems: use `export`
 * to find out where the session is.
 */
export class Session {
  readonly id: string
  readonly model: string
  readonly #service: Service
  readonly #turns = new Turns()
  readonly #place: { t: number }

  constructor (service: Service, { session, model, t }: Pick<Description, 'session' | 'model' | 't'>) {
    this.#service = service
    this.id = session
    this.model = model
    this.#place = { t }
  }

  /** How many steps the session has taken, as far as this client knows. */
  get t (): number {
    return this.#place.t
  }

  get #path (): string {
    return `/sessions/${encodeURIComponent(this.id)}`
  }

  async step (request: RowStep, options: CallOptions = {}): Promise<RowStepAnswer> {
    return await this.#turns.take(async () => {
      const answer = await this.#service.compute(`${this.#path}/step`, this.#timed(request), OPTIONS, options)
      return this.#follow(expect(answer, isRowStep))
    })
  }

  /** Takes several steps: all of them, or none. */
  async sequence (request: RowSequence, options: CallOptions = {}): Promise<RowSequenceAnswer> {
    return await this.#turns.take(async () => {
      const answer = await this.#service.compute(`${this.#path}/sequence`, this.#timed(request), OPTIONS, options)
      return this.#follow(expect(answer, isRowSequence))
    })
  }

  /**
   * The same, but yields each step as soon as it is computed. The steps have been taken once the last line, `{t}` alone, has arrived.
   * No other call may be in progress until then.
   */
  async * stream (request: RowSequence, options: CallOptions = {}): AsyncGenerator<RowStepAnswer | RowPlace, void> {
    let last = false
    for await (const line of this.#service.stream(`${this.#path}/sequence`, this.#timed(request), OPTIONS, options)) {
      const answer = expect(decodeJson(line), isRowLine)
      last = answer.output === undefined
      yield last ? this.#follow(answer) : answer
    }
    if (!last) throw brokenOff()
  }

  /** The complete session, from which another one can begin anywhere. Also updates `t` from the service. */
  async export (options: CallOptions = {}): Promise<SessionExport> {
    return await this.#turns.take(async () => this.#follow(await this.#service.get<SessionExport>(this.#path, options)))
  }

  /** Ends the session. If it has already ended, this is not an error. */
  async delete (options: CallOptions = {}): Promise<void> {
    try {
      await this.#service.send({ method: 'DELETE', path: this.#path, repeatable: true }, options, async () => {})
    } catch (error) {
      if (!(error instanceof Problem && error.status === 410)) throw error
    }
  }

  /** Opens a WebSocket that takes the session's steps, and reopens it if it is lost. Use it instead of `step`, not in parallel. */
  async connect<F extends FrameField = FrameField> (options: ConnectionOptions<F> = {}): Promise<SessionConnection<F>> {
    return await Connection.open(this.#service, { model: this.model, session: this.id, place: this.#place }, options)
  }

  #timed (request: RowStep | RowSequence): object {
    return { ...request, t: request.t ?? this.t }
  }

  #follow<A extends { readonly t: number }> (answer: A): A {
    this.#place.t = answer.t
    return answer
  }
}
