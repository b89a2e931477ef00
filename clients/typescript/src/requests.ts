import type { SequenceAnswer } from './answers.ts'
import type { TensorLike } from './tensor.ts'
import type { Tokens } from './tokens.ts'

/** What a wiring needs from a request. A model with a `feedback.mjs` has its own fields, with any JSON. */
export interface Context {
  /** `[N, D]` for all rows, or `[B, N, D]`, whose rows may be ragged. */
  readonly support?: TensorLike<2> | TensorLike<3>
  /** How many supports belong to each row, if they are padded. */
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
  /** Tokens of rows that continue; `true` begins new rows and asks for their tokens. */
  readonly state?: Tokens | readonly string[] | true | undefined
  readonly context?: Context | undefined
}

export interface StepInput {
  /** `[B, I]` */
  readonly x?: TensorLike<2> | undefined
  /** `[B]`, instead of x, for a model that begins with an embedding. */
  readonly ids?: readonly number[] | undefined
}

export interface SequenceInput {
  /** `[B, T, I]`, whose rows may be ragged. */
  readonly x?: TensorLike<3> | undefined
  /** `[B, T]`, instead of x, for a model that begins with an embedding. */
  readonly ids?: ReadonlyArray<readonly number[]> | undefined
  /** `[B]`: how many steps each row takes. */
  readonly lengths?: readonly number[] | undefined
  /** Feed the same x this many times. */
  readonly steps?: number | undefined
  /** Parts of the wiring to answer. */
  readonly parts?: readonly string[] | undefined
  /** `false`: answer only each row's last step. */
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

/** Where a chain begins; with `state`, it continues from another chain's state. */
export interface ChainStart extends Omit<Start, 'state'> {
  readonly state?: Tokens | readonly string[] | undefined
}

/** Where a single row begins, without `[B]`. */
export interface RowStart {
  /** `[Hi]` */
  readonly h_in?: TensorLike<1> | undefined
  /** `[Ho]` */
  readonly c_in?: TensorLike<1> | undefined
  /** `[Ho]` */
  readonly h_0?: TensorLike<1> | undefined
  /** A token to continue from. */
  readonly state?: string | undefined
  readonly context?: Context | undefined
}

/** Where a session begins; can be the export of another session. */
export interface SessionStart extends RowStart {
  /** The seconds of disuse after which the service ends the session. */
  readonly idle_timeout?: number | undefined
}

export interface RowStep {
  /** `[I]` */
  readonly x?: TensorLike<1> | undefined
  /** Instead of x, for a model that begins with an embedding. */
  readonly ids?: number | undefined
  /** Parts of the wiring to answer. */
  readonly parts?: readonly string[] | undefined
  /** How many steps come before; if left out, the client counts them. */
  readonly t?: number | undefined
}

export interface RowSequence {
  /** `[T, I]` */
  readonly x?: TensorLike<2> | undefined
  /** `[T]`, instead of x, for a model that begins with an embedding. */
  readonly ids?: readonly number[] | undefined
  /** Feed the same x this many times. */
  readonly steps?: number | undefined
  readonly parts?: readonly string[] | undefined
  /** `false`: answer only the last step. */
  readonly return_sequences?: boolean | undefined
  readonly t?: number | undefined
}

/** The request in a frame of a WebSocket. */
export interface FrameStep extends RowStep {
  /** Answer a token of the row's state after the step. */
  readonly state?: true | undefined
}

export interface FrameSequence extends RowSequence {
  readonly state?: true | undefined
}

/** The fields that can be in the answer to a frame. */
export type FrameField = 'output' | 'y' | 'parts' | 'state'
