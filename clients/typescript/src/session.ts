import type { RowPlace, RowSequenceAnswer, RowStepAnswer } from './answers.ts'
import { Connection, type ConnectionOptions, type SessionConnection } from './connection.ts'
import { decodeJson, expect, isRowLine, isRowSequence, isRowStep } from './decode.ts'
import type { CallOptions } from './http.ts'
import type { Session as Description, SessionExport as Export } from './openapi.ts'
import { Problem } from './problem.ts'
import type { Context, FrameField, RowSequence, RowStep } from './requests.ts'
import { brokenOff, type Service } from './service.ts'
import { Turns } from './waiting.ts'

/** All of a session; `state` is a token of its row. */
export interface SessionExport extends Omit<Export, 'context'> {
  readonly context?: Context
}

/** The fields that go into the query string. */
const OPTIONS = ['t']

/**
 * A row that the service keeps, with its context. The client counts its steps, so that each can be sent again without being taken
 * twice; calls have their turn one after the other. If others take its steps as well, theirs and these are 409 problems: ask `export`
 * where the session is.
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

  /** How many steps it has taken, as far as this client knows. */
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

  /** All of the steps are taken, or none. */
  async sequence (request: RowSequence, options: CallOptions = {}): Promise<RowSequenceAnswer> {
    return await this.#turns.take(async () => {
      const answer = await this.#service.compute(`${this.#path}/sequence`, this.#timed(request), OPTIONS, options)
      return this.#follow(expect(answer, isRowSequence))
    })
  }

  /** The same, each step as soon as it is computed. They have been taken once the last line is there, `{t}` alone. Nothing else may be in work meanwhile. */
  async * stream (request: RowSequence, options: CallOptions = {}): AsyncGenerator<RowStepAnswer | RowPlace, void> {
    let last = false
    for await (const line of this.#service.stream(`${this.#path}/sequence`, this.#timed(request), OPTIONS, options)) {
      const answer = expect(decodeJson(line), isRowLine)
      last = answer.output === undefined
      yield last ? this.#follow(answer) : answer
    }
    if (!last) throw brokenOff()
  }

  /** All of the session: begin another one with it, anywhere. It says where the session is. */
  async export (options: CallOptions = {}): Promise<SessionExport> {
    return await this.#turns.take(async () => this.#follow(await this.#service.get<SessionExport>(this.#path, options)))
  }

  /** Ends it. One that has ended already is no error. */
  async delete (options: CallOptions = {}): Promise<void> {
    try {
      await this.#service.send({ method: 'DELETE', path: this.#path, repeatable: true }, options, async () => {})
    } catch (error) {
      if (!(error instanceof Problem && error.status === 410)) throw error
    }
  }

  /** Opens a WebSocket that takes its steps, and opens it again if it is lost. Use it in the place of `step`, not beside it. */
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
