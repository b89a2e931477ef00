import type { Tensor } from '../tensor/tensor.ts'

/** `[B][Ho]`, or `[Ho]` if the request's `x` has no batch dimension. */
export interface StepAnswer {
  readonly h_out: Tensor
  readonly c_out: Tensor
}

/** Where a sequence has come to. */
export interface SequenceStates extends StepAnswer {
  /** `[B][Hi]`: what the policy would feed to the next step; left out if only the client knows. */
  readonly h_next?: Tensor
}

export interface SequenceAnswer extends SequenceStates {
  /** `[B][T][Ho]`, or `[B][Ho]` of the last steps. */
  readonly output: Tensor
  /** `[B][T][N]`, if the request asked for attention weights. */
  readonly weights?: Tensor
}

/** One step of a sequence. */
export interface SequenceStep {
  readonly t: number
  /** `[B][Ho]`, zeros past a row's length. */
  readonly output: Tensor
  /** `[B][N]`, if the request asked for attention weights. */
  readonly weights?: Tensor
}

/** The most numbers that one tensor of an answer may have: as JSON they are then still shorter than a string can be. */
export const MAX_ANSWER = 2 ** 24
