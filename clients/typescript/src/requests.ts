import type { SequenceAnswer } from './answers.ts'
import type { TensorLike } from './tensor.ts'
import type { Tokens } from './tokens.ts'

/** What a wiring needs from a request. A model with a `feedback.mjs` has fields of its own, of any JSON. */
export interface Context {
  /** `[N, D]` for all rows, or `[B, N, D]`, whose rows may be ragged. */
  readonly support?: TensorLike<2> | TensorLike<3>
  /** How many supports are each row's own, if they are padded. */
  readonly support_lengths?: readonly number[]
  /** `[D]` for all rows, `[B, D]` one per row, `[B, T, D]` one per step. */
  readonly vectors?: TensorLike
  readonly [field: string]: unknown
}

/** Where rows begin. */
export interface Start {
  /** `[B, Hi]`: what the first step reads as its h. */
  readonly h_in?: TensorLike<2> | undefined
  /** `[B, Ho]`: the first cell state of an LSTM. */
  readonly c_in?: TensorLike<2> | undefined
  /** `[B, Ho]`: the h that the first feedback sees. */
  readonly h_0?: TensorLike<2> | undefined
  /** Tokens of rows that go on; `true` asks for those of rows that begin. */
  readonly state?: Tokens | readonly string[] | true | undefined
  readonly context?: Context | undefined
}

export interface StepInput {
  /** `[B, I]` */
  readonly x?: TensorLike<2> | undefined
  /** `[B]`, in the place of x, for a model that begins with an embedding. */
  readonly ids?: readonly number[] | undefined
}

export interface SequenceInput {
  /** `[B, T, I]`, whose rows may be ragged. */
  readonly x?: TensorLike<3> | undefined
  /** `[B, T]`, in the place of x, for a model that begins with an embedding. */
  readonly ids?: ReadonlyArray<readonly number[]> | undefined
  /** `[B]`: how many steps each row takes. */
  readonly lengths?: readonly number[] | undefined
  /** Feed the same x this many times. */
  readonly steps?: number | undefined
  /** Parts of the wiring to answer. */
  readonly parts?: readonly string[] | undefined
  /** `false`: answer each row's last step alone. */
  readonly return_sequences?: boolean | undefined
}

export interface StepRequest extends StepInput, Start {}

export interface SequenceRequest extends SequenceInput, Start {
  /** The fields to answer; all if left out. */
  readonly fields?: ReadonlyArray<keyof SequenceAnswer> | undefined
}

export type AllFields = SequenceRequest & { readonly fields?: undefined }
export type SomeFields<F extends keyof SequenceAnswer> = SequenceRequest & { readonly fields: readonly F[] }

export const STEP_OPTIONS = ['state']
export const SEQUENCE_OPTIONS = ['state', 'steps', 'return_sequences', 'parts', 'fields']

/** Where a chain begins; with `state` it goes on from where another one was. */
export interface ChainStart extends Omit<Start, 'state'> {
  readonly state?: Tokens | readonly string[] | undefined
}

/** Where a row of its own begins: one row, without `[B]`. */
export interface RowStart {
  /** `[Hi]` */
  readonly h_in?: TensorLike<1> | undefined
  /** `[Ho]` */
  readonly c_in?: TensorLike<1> | undefined
  /** `[Ho]` */
  readonly h_0?: TensorLike<1> | undefined
  /** A token to go on from. */
  readonly state?: string | undefined
  readonly context?: Context | undefined
}

/** Where a session begins: an export of another one will do. */
export interface SessionStart extends RowStart {
  /** The seconds after which the service ends it if nobody uses it. */
  readonly idle_timeout?: number | undefined
}

export interface RowStep {
  /** `[I]` */
  readonly x?: TensorLike<1> | undefined
  /** In the place of x, for a model that begins with an embedding. */
  readonly ids?: number | undefined
  /** Parts of the wiring to answer. */
  readonly parts?: readonly string[] | undefined
  /** How many steps have been taken before; the client counts them if it is left out. */
  readonly t?: number | undefined
}

export interface RowSequence {
  /** `[T, I]` */
  readonly x?: TensorLike<2> | undefined
  /** `[T]`, in the place of x, for a model that begins with an embedding. */
  readonly ids?: readonly number[] | undefined
  /** Feed the same x this many times. */
  readonly steps?: number | undefined
  readonly parts?: readonly string[] | undefined
  /** `false`: answer the last step alone. */
  readonly return_sequences?: boolean | undefined
  readonly t?: number | undefined
}

/** What a frame of a WebSocket asks. */
export interface FrameStep extends RowStep {
  /** Answer a token of where the row is then. */
  readonly state?: true | undefined
}

export interface FrameSequence extends RowSequence {
  readonly state?: true | undefined
}

/** The fields that frames may be answered with. */
export type FrameField = 'output' | 'y' | 'parts' | 'state'
