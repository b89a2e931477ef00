import type { Memory } from '../engine/engine.ts'
import type { Cancellation } from './cancellation.ts'
import type { OutputWindow } from './output-window.ts'
import type { StageQueue } from './stage-queue.ts'

/** What one request asks of a network, and what has become of it. All tensors are row-major. */
export interface Task {
  /** B */
  readonly rows: number
  /** How many steps each row takes, at least 1. */
  readonly lengths: readonly number[]
  /** What each row goes through, stage after stage. */
  readonly passes: readonly Pass[]
  readonly call: Cancellation
  /** The pointer of what its steps read, for what is wrong with the numbers. */
  readonly field: string
  /** Of the last pass: keeps its rows no further ahead of a reader than there is room. */
  readonly window?: OutputWindow | undefined
}

/** A task's way through one stage. The scheduler alone writes to its tensors until the task is done. */
export interface Pass {
  readonly queue: StageQueue
  /** `[B, S]`: each row's state, before its first step and, in the end, after its last. */
  readonly state: Float32Array
  /** One per input of the program. */
  readonly inputs: readonly Stream[]
  readonly sinks: readonly Sink[]
  /** What the rows read, if the stage has a read. */
  readonly memory?: Memory | undefined
  /** Where the attention weights go, if they are asked for; entry 0 is that of the read that feeds the first step. */
  readonly attention?: Kept | undefined
  /** Which of the program's instructions, from its `read` on, make what feeds the first step; left out if none need to. */
  readonly start?: readonly Range[] | undefined
  /** Whether the rows go on: their start then makes what is answered of the parts, and leaves their states as they are. */
  readonly looks?: boolean | undefined
  /** Whether `h_in` of the state is to be, in the end, what would feed the next step, though that is made as steps begin. */
  readonly peek: boolean
  /** What makes `h_in`, if it is made outside of the engine; from the first step on, or only from the second. */
  readonly host?: { readonly feed: Host, readonly first: boolean } | undefined
}

/** Instructions one after the other. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** What rows read once per step. That of step `t` and row `b` is at `b * rowStride + t * stepStride`. */
export interface Stream {
  readonly data: Float32Array
  readonly rowStride: number
  /** 0 if all steps read the same. */
  readonly stepStride: number
  /** Left out, that place is one in `data`; else it is one in here, which says which row of `data`, a table, is read. */
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
  /** Whether the row's last step alone is kept, whichever way the stage goes. */
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
 * Makes what rows read next, outside of the engine: it writes `h_in` of their states.
 *
 * @param rows the rows, and for each the step that is to read it.
 * @throws InputError, or rejects with one, if it fails; the task fails with it.
 */
export type Host = (rows: readonly number[], steps: readonly number[]) => void | Promise<void>
