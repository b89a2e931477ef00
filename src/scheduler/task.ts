import type { Memory } from '../engine/engine.ts'
import type { Cancellation } from './cancellation.ts'
import type { OutputWindow } from './output-window.ts'
import type { StageQueue } from './stage-queue.ts'

/** What one request asks of a network, and its results so far. All tensors are row-major. */
export interface Task {
  /** B */
  readonly rows: number
  /** How many steps each row takes, at least 1. */
  readonly lengths: readonly number[]
  /** What each row goes through, stage after stage. */
  readonly passes: readonly Pass[]
  readonly call: Cancellation
  /** The JSON pointer of what its steps read, for errors in the numbers. */
  readonly field: string
  /** Limits how far the rows of the last pass run ahead of a reader. */
  readonly window?: OutputWindow | undefined
}

/** A task's pass through one stage. Only the scheduler writes to its tensors until the task is done. */
export interface Pass {
  readonly queue: StageQueue
  /** `[B, S]`: each row's state, before its first step and, in the end, after its last. */
  readonly state: Float32Array
  /** One per input of the program. */
  readonly inputs: readonly Stream[]
  readonly sinks: readonly Sink[]
  /** What the rows read, if the stage has a read. */
  readonly memory?: Memory | undefined
  /** Where the attention weights go, if they are asked for; entry 0 belongs to the read that feeds the first step. */
  readonly attention?: Kept | undefined
  /** The instructions of the program, from its `read` on, that make what feeds the first step; left out if none are needed. */
  readonly start?: readonly Range[] | undefined
  /** Whether the rows continue: their start then makes the parts that are answered, and leaves their states unchanged. */
  readonly looks?: boolean | undefined
  /** Whether `h_in` of the state must end as what would feed the next step, although it is made when a step begins. */
  readonly peek: boolean
  /** What makes `h_in`, if it is made outside the engine: from the first step on, or only from the second. */
  readonly host?: { readonly feed: Host, readonly first: boolean } | undefined
}

/** Consecutive instructions. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** What rows read once per step. What row `b` reads at step `t` is at `b * rowStride + t * stepStride`. */
export interface Stream {
  readonly data: Float32Array
  readonly rowStride: number
  /** 0 if all steps read the same. */
  readonly stepStride: number
  /** If left out, that place is in `data`. Otherwise it is in `index`, which contains the number of the row to read in `data`, a table. */
  readonly index?: Int32Array | undefined
}

/** Where an output of the program is kept. */
export interface Sink {
  /** Which output of the program. */
  readonly output: number
  /** Entry `e` is at `e` modulo `entries`. */
  readonly kept: Kept
  /** Where in an entry the output starts. */
  readonly offset: number
  /** Step t makes entry `t + shift`. */
  readonly shift: 0 | 1
  /** Whether only the row's last step is kept, in either direction of the stage. */
  readonly last?: boolean
  /** Where in the state entry 0 is once the row has started, if it is kept as well. */
  readonly initial?: { readonly offset: number } | undefined
}

/** What is kept of a stream: `[B, entries, width]`. */
export interface Kept {
  readonly data: Float32Array
  readonly entries: number
  readonly width: number
}

/**
 * Makes what rows read next, outside the engine: it writes `h_in` of their states.
 *
 * @param rows the rows; `steps` has for each the step that reads it.
 * @throws InputError, or rejects with one, if it fails; the task fails with it.
 */
export type Host = (rows: readonly number[], steps: readonly number[]) => void | Promise<void>
