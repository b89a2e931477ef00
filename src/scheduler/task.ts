import type { Feedback } from '../model/policies/policy.ts'
import type { Pace } from './output-window.ts'

/**
 * What one request asks of a cell, and how far it has come. The scheduler alone writes to it until it is done. All
 * tensors are row-major.
 */
export interface Work {
  /** B */
  readonly rows: number
  /** T, the longest row's. */
  readonly steps: number
  /** How many steps each row takes, 1 to T. */
  readonly lengths: readonly number[]
  /** What step `t` of row `b` reads starts at `b * xRow + t * xStep`, and has `I` numbers. */
  readonly x: Float32Array
  readonly xRow: number
  /** 0 where every step reads the same. */
  readonly xStep: number
  /** `[B, Hi]`: what each row reads next; after its last step, what it would read then. */
  readonly hIn: Float32Array
  /** `[B, Ho]`: each row's output hidden state after its latest step. */
  readonly h: Float32Array
  /** `[B, Ho]`: each row's cell state after its latest step. */
  readonly c: Float32Array
  /** `[B, S, Ho]`: `h` after every step, that after step `t` at `t` modulo S, where it is asked for. */
  readonly output: Float32Array | undefined
  /** S: T, or fewer where a reader takes them away at its own pace. */
  readonly outputSteps: number
  readonly pace?: Pace | undefined
  readonly feedback: Feedback
}
