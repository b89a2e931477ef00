import type { Cell } from '../network/cell.ts'

/**
 * What computes cells. An engine takes a cell's weights once and then steps batches of rows; it knows neither models nor
 * requests.
 */
export interface Engine {
  readonly name: EngineName
  /** What the engine runs on, for people: for example `wasm`, or `avx2, 2 threads`. */
  readonly backend: string
  /** Takes over a cell's weights, in whatever form the engine steps fastest. */
  load (cell: Cell): Stepper
}

export type EngineName = 'native' | 'tfjs'

/**
 * One batch of rows, one step. All buffers are row-major and belong to the caller; they may be longer than `rows` rows.
 * An output buffer may not overlap an input buffer.
 */
export interface Batch {
  /** B, the number of rows to step. */
  readonly rows: number
  /** `[B, I]` */
  readonly x: Float32Array
  /** `[B, Hi]` */
  readonly hIn: Float32Array
  /** `[B, Ho]` */
  readonly cIn: Float32Array
  /** `[B, Ho]`, written. */
  readonly hOut: Float32Array
  /** `[B, Ho]`, written. */
  readonly cOut: Float32Array
}

/** A cell's weights, held by an engine. */
export interface Stepper {
  /**
   * One step of `batch.rows` rows. Light work is done on return. Heavy work may go on off the event loop: then a promise
   * is returned, and the buffers are the engine's until it settles.
   */
  step (batch: Batch): void | Promise<void>
  /** Many steps in one call, where the engine can; the rules of `step` hold. */
  run? (run: Run): void | Promise<void>
  /** Frees what the engine holds for the cell. */
  dispose (): void
}

/**
 * How the next `h_in` is made of the last `h_out`, for the feedbacks that an engine can do by itself between the steps
 * of a run. Of the three, `projection` is given or the other two fill `h_in` between them.
 */
export interface LinearFeedback {
  /** `h` stands this many times at the start of `h_in`. */
  readonly repeat: number
  /** What follows it: `[B, D]`, the same for every step, or `[T - 1, B, D]`, row block `t` for the step after step `t`. */
  readonly vectors?: { readonly data: Float32Array, readonly perStep: boolean }
  /** `h_in = P h + p`, each sum made in double precision from the bias on, in index order, and rounded once. */
  readonly projection?: { readonly weight: Float32Array, readonly bias: Float32Array }
}

/** Many steps of the same rows under a linear feedback: what `steps` calls of `step` would give, to the last bit. */
export interface Run {
  /** T */
  readonly steps: number
  /** B */
  readonly rows: number
  /** `[T, B, I]`, or `[B, I]` where `sameX`. */
  readonly x: Float32Array
  /** Every step reads the same `x`. */
  readonly sameX: boolean
  /** `[B, Hi]`, what the first step reads. */
  readonly hIn: Float32Array
  /** `[B, Ho]`, the cell state: read by the first step, written by the last. */
  readonly c: Float32Array
  /** `[T, B, Ho]`, written: `h_out` of every step. */
  readonly output: Float32Array
  readonly feedback: LinearFeedback
}
