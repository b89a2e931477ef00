import type { Tensor } from './tensor.ts'
import type { Tokens } from './tokens.ts'

/** The answer to a step of the bare network or, with `state`, of the model's wiring. */
export interface StepAnswer {
  /** `[B, Ho]`: in a stack, the vectors of all layers, one after the other. */
  readonly h_out: Tensor<2>
  /** `[B, Ho]`, for an LSTM. */
  readonly c_out?: Tensor<2>
  /** `[B, K]`, if the model has a readout. */
  readonly y?: Tensor<2>
  readonly state?: Tokens
}

export interface SequenceAnswer {
  /** `[B, T, Ho]`; with `return_sequences: false` `[B, 1, Ho]`. */
  readonly output: Tensor<3>
  /** `[B, Ho]`, after each row's last step. */
  readonly h_out: Tensor<2>
  readonly c_out?: Tensor<2>
  /** `[B, Hi]`: what the wiring would feed to the next step. */
  readonly h_next?: Tensor<2>
  /** `[B, T, K]`, if the model has a readout. */
  readonly y?: Tensor<3>
  /** `[B, T + 1, ...]`. */
  readonly parts?: Readonly<Record<string, Tensor<3>>>
  readonly state?: Tokens
}

/** A line of a streamed sequence: one step. */
export interface SequenceStep {
  readonly t: number
  readonly output?: Tensor<2>
  readonly y?: Tensor<2>
  readonly parts?: Readonly<Record<string, Tensor<2>>>
}

/** The last line of a streamed sequence: the states to continue from. */
export interface SequenceStates {
  readonly t?: undefined
  readonly h_out?: Tensor<2>
  readonly c_out?: Tensor<2>
  readonly h_next?: Tensor<2>
  readonly y?: Tensor<2>
  readonly state?: Tokens
}

/** The answer to a step of a row that the service keeps. */
export interface RowStepAnswer {
  /** How many steps the row has taken, including this one. */
  readonly t: number
  /** `[Ho]` */
  readonly output: Tensor<1>
  /** `[K]` */
  readonly y?: Tensor<1>
  readonly parts?: Readonly<Record<string, Tensor<1>>>
}

/** The answer to several steps of such a row. */
export interface RowSequenceAnswer {
  readonly t: number
  /** `[T, Ho]` */
  readonly output: Tensor<2>
  readonly y?: Tensor<2>
  readonly parts?: Readonly<Record<string, Tensor<2>>>
}

/** The position of such a row. */
export interface RowPlace {
  readonly t: number
  readonly output?: undefined
}

/** The answer to a frame of a WebSocket. */
export interface FrameStepAnswer extends RowStepAnswer {
  /** A token of the row, if the frame asked for one. */
  readonly state?: string
}

export interface FrameSequenceAnswer extends RowSequenceAnswer {
  readonly state?: string
}
