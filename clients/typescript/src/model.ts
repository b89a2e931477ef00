import type { SequenceAnswer, SequenceStates, SequenceStep, StepAnswer } from './answers.ts'
import { Chain } from './chain.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { decodeJson, expect, isSequence, isSequenceLine, isStep } from './decode.ts'
import type { CallOptions } from './http.ts'
import type { Model as ModelDescription, ModelList, Session as SessionDescription } from './openapi.ts'
import { SEQUENCE_OPTIONS, STEP_OPTIONS, type AllFields, type ChainStart, type FrameField, type SequenceRequest, type SessionStart, type SomeFields, type StepRequest } from './requests.ts'
import { brokenOff, type Service } from './service.ts'
import { Session } from './session.ts'

/** A model of the service. */
export class Model {
  readonly #service: Service
  #name: string | undefined

  /** @param name the default model if left out. */
  constructor (service: Service, name: string | undefined) {
    this.#service = service
    this.#name = name
  }

  /** The model's description: sizes, wiring, the schema of its context, version. */
  async describe (options: CallOptions = {}): Promise<ModelDescription> {
    return await this.#service.get(`/models/${encodeURIComponent(await this.name(options))}`, options)
  }

  /** The model's name. For the default model, asks the service once. */
  async name (options: CallOptions = {}): Promise<string> {
    if (this.#name === undefined) {
      const { models } = await this.#service.get<ModelList>('/models', options)
      this.#name = models.find((model) => model.default)?.name
    }
    if (this.#name === undefined) throw new Error('the service has no default model: give a name')
    return this.#name
  }

  get #path (): string {
    return this.#name === undefined ? '' : `/models/${encodeURIComponent(this.#name)}`
  }

  /** Takes one step of the bare network: the caller computes the next `h_in`. With `state`, takes one step of the model's wiring. */
  async step (request: StepRequest, options: CallOptions = {}): Promise<StepAnswer> {
    return expect(await this.#service.compute(`${this.#path}/step`, request, STEP_OPTIONS, options), isStep)
  }

  /** Takes as many steps as `x` has, with the feedback of the model's wiring. */
  async sequence (request: AllFields, options?: CallOptions): Promise<SequenceAnswer>
  async sequence<F extends keyof SequenceAnswer> (request: SomeFields<F>, options?: CallOptions): Promise<Pick<SequenceAnswer, F>>
  async sequence (request: SequenceRequest, options: CallOptions = {}): Promise<Partial<SequenceAnswer>> {
    return expect(await this.#service.compute(`${this.#path}/sequence`, request, SEQUENCE_OPTIONS, options), isSequence)
  }

  /** The same, but yields each step as soon as it is computed; the last line contains the states. */
  async * stream (request: SequenceRequest, options: CallOptions = {}): AsyncGenerator<SequenceStep | SequenceStates, void> {
    let last = false
    for await (const line of this.#service.stream(`${this.#path}/sequence`, request, SEQUENCE_OPTIONS, options)) {
      const answer = expect(decodeJson(line), isSequenceLine)
      last = answer.t === undefined
      yield answer
    }
    if (!last) throw brokenOff()
  }

  /** Rows that continue from call to call, and whose state the client keeps. */
  chain (start: ChainStart = {}): Chain {
    return new Chain(this.#service, this.#path, start)
  }

  /** Begins a row that the service keeps. */
  async session (start: SessionStart = {}, options: CallOptions = {}): Promise<Session> {
    const description = await this.#service.create<SessionDescription>(`/models/${encodeURIComponent(await this.name(options))}/sessions`, start, options)
    return new Session(this.#service, description)
  }

  /** Opens a WebSocket, whose row lives as long as the connection. */
  async connect<F extends FrameField = FrameField> (options: ConnectionOptions<F> = {}): Promise<Connection<F>> {
    return await Connection.open(this.#service, { model: await this.name(options), place: { t: 0 } }, options)
  }
}
