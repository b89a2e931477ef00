import type { CallOptions } from './http.ts'
import { Model } from './model.ts'
import type { Model as ModelDescription, ModelList } from './openapi.ts'
import { Service, type ClientOptions } from './service.ts'
import { Session, type SessionExport } from './session.ts'

export type {
  FrameSequenceAnswer, FrameStepAnswer, RowPlace, RowSequenceAnswer, RowStepAnswer, SequenceAnswer, SequenceStates, SequenceStep, StepAnswer
} from './answers.ts'
export type { Chain } from './chain.ts'
export type { Connection, ConnectionOptions, FrameOptions, SessionConnection } from './connection.ts'
export type { CallOptions } from './http.ts'
export type { Model } from './model.ts'
export type { FieldError, Model as ModelDescription } from './openapi.ts'
export { Problem } from './problem.ts'
export type {
  ChainStart, Context, FrameField, FrameSequence, FrameStep, RowSequence, RowStart, RowStep, SequenceInput, SequenceRequest, SessionStart, StepInput, StepRequest
} from './requests.ts'
export type { ClientOptions } from './service.ts'
export type { Session, SessionExport } from './session.ts'
export { ConnectionError, type Socket, type SocketConstructor } from './socket.ts'
export { Tensor, type Rank, type Shape, type TensorLike } from './tensor.ts'
export { Tokens } from './tokens.ts'

/** A client of the service. It needs only what browsers provide: `fetch` and, for connections, `WebSocket`. */
export class Client {
  readonly #service: Service

  /**
   * @param url the address of the service, such as `http://127.0.0.1:8080`.
   * @throws TypeError if it is not a URL.
   */
  constructor (url: string | URL, options: ClientOptions = {}) {
    this.#service = new Service(String(url), options)
  }

  /** The descriptions of all models. */
  async models (options: CallOptions = {}): Promise<ModelDescription[]> {
    const { models } = await this.#service.get<ModelList>('/models', options)
    return models
  }

  /** A model, by its name; the default model if it is left out. */
  model (name?: string): Model {
    return new Model(this.#service, name)
  }

  /** An existing session, by its id. */
  async session (id: string, options: CallOptions = {}): Promise<Session> {
    return new Session(this.#service, await this.#service.get<SessionExport>(`/sessions/${encodeURIComponent(id)}`, options))
  }
}
