import type { Network } from '../network/network.ts'
import type { Precision } from '../network/precision.ts'
import type { Program } from './program.ts'

/** Computes networks. An engine loads a network's weights once and then advances batches of rows; it knows nothing about requests. */
export interface Engine {
  readonly name: EngineName
  /** What the engine runs on, for display: for example `wasm`, or `avx2, 2 threads`. */
  readonly backend: string
  /** How many multiply-adds it does in about a millisecond, after which others have their turn. */
  readonly budget: number
  /** How it holds matrices of a precision in memory: as they are, or widened to f32. */
  holds (precision: Precision): Precision
  /** Loads a network's weights, in the form with which the engine computes fastest. */
  load (network: Network): LoadedNetwork
  /** Like `load`, in parallel with other work: off the event loop if the engine can. The weights must not change until it is done. */
  loadBeside (network: Network): Promise<LoadedNetwork>
}

export type EngineName = 'native' | 'tfjs'

/** A network on an engine. */
export interface LoadedNetwork {
  /** One program per stage. Its weights may be missing, because the engine holds them in its own form. */
  readonly programs: readonly Program[]
  /** Makes the buffers in which rows of different requests are batched for a call. */
  batch (stage: number, maxRows: number): Batch
  /**
   * Takes a request's support vectors for the read of a stage; they must be prepared before they are read.
   *
   * @param support `[sum of counts, D]`: the vectors of each set, one set after the other. It must not change until it is prepared.
   * @param counts how many vectors each set has: one set per row, or one for all.
   */
  remember (stage: number, support: Float32Array, counts: readonly number[]): Memory
  /** Frees what the engine holds for the network. Call it once no call is in progress. */
  dispose (): void
}

/** Support sets as an engine reads them: their keys and values. */
export interface Memory {
  /** How many vectors each set has. */
  readonly counts: readonly number[]
  /**
   * Prepares more of the vectors, with about `work` multiply-adds at a time.
   *
   * @returns whether all are prepared; a promise if the work continues off the event loop.
   */
  prepare (work: number): boolean | Promise<boolean>
  dispose (): void
}

/**
 * The engine's own buffers, for at most `maxRows` rows. A call reads what was written to them before. While a call's promise
 * is pending, they belong to the engine.
 *
 * All are row-major: row `i` of a state starts at `i * state.width`, and what row `i` reads from an input at step `t` starts
 * at `(t * rows + i) * width`; outputs have the same layout.
 */
export interface Batch {
  readonly maxRows: number
  /** A call reads `states[0]`; after `advance` of K steps the new states are in `states[K % 2]`. */
  readonly states: readonly [Float32Array, Float32Array]
  /** The buffer of input `k`, of at least `floats` numbers; a buffer that was returned earlier is no longer valid. */
  input (k: number, floats: number): Float32Array
  /** The buffer of output `k`, of at least `floats` numbers. */
  output (k: number, floats: number): Float32Array
  /** The buffer of attention weights, of at least `floats` numbers. */
  attention (floats: number): Float32Array
  /** Makes row `i` read set `set` of a memory. */
  attach (i: number, memory: Memory, set: number): void
  /**
   * Takes the first `rows` rows through `steps` steps, each from `states[0]` on. Light work is done on return; heavy work
   * may continue off the event loop, and then a promise is returned.
   */
  advance (rows: number, steps: number, options: CallOptions): void | Promise<void>
  /**
   * Does some of what a step does after its cells, in place on `states[0]`: the read, the lets, the readout, and what the
   * first node reads next.
   *
   * @param from the first instruction to run: the program's `read` or a later one.
   * @param to where the instructions end: the program's `end` at most.
   */
  start (rows: number, from: number, to: number, options: Pick<CallOptions, 'attention'>): void | Promise<void>
  /** Makes what the first node would read next, in the `h_in` of `states[1]`; its inputs are those of one step. */
  peek (rows: number): void | Promise<void>
  dispose (): void
}

export interface CallOptions {
  /** Bit k: every step reads the same from input k, which has one step. */
  readonly repeated: number
  /** Bit k: output k is asked for. */
  readonly asked: number
  /**
   * The width of attention weights, `[steps, rows, width]`, zeros beyond a row's own supports; at least the largest count of
   * these rows. 0 if nobody asks for them.
   */
  readonly attention: number
}
