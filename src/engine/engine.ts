import type { Network } from '../network/network.ts'
import type { Precision } from '../network/precision.ts'
import type { Program } from './program.ts'

/** What computes networks. An engine takes a network's weights once and then advances batches of rows; it knows no requests. */
export interface Engine {
  readonly name: EngineName
  /** What the engine runs on, for people: for example `wasm`, or `avx2, 2 threads`. */
  readonly backend: string
  /** How many multiply-adds it does in about a millisecond, after which others have their turn. */
  readonly budget: number
  /** How it holds matrices of a precision in memory: as they are, or widened to f32. */
  holds (precision: Precision): Precision
  /** Takes over a network's weights, in whatever form the engine computes fastest. */
  load (network: Network): LoadedNetwork
  /** The same beside what is being computed: off the event loop if the engine can. The weights are left alone until it is done. */
  loadBeside (network: Network): Promise<LoadedNetwork>
}

export type EngineName = 'native' | 'tfjs'

/** A network on an engine. */
export interface LoadedNetwork {
  /** One program per stage. Its weights may be gone: the engine has them in its own form. */
  readonly programs: readonly Program[]
  /** Makes the buffers in which rows of different requests meet for a call. */
  batch (stage: number, maxRows: number): Batch
  /**
   * Takes over a request's support vectors for the read of a stage, to be prepared before they are read.
   *
   * @param support `[sum of counts, D]`: the vectors of each set, one set after the other. It is not changed meanwhile.
   * @param counts how many vectors each set has: one set per row, or one for all.
   */
  remember (stage: number, support: Float32Array, counts: readonly number[]): Memory
  /** Frees what the engine holds for the network, once no call is under way. */
  dispose (): void
}

/** Support sets as an engine reads them: their keys and values. */
export interface Memory {
  /** How many vectors each set has. */
  readonly counts: readonly number[]
  /**
   * Prepares more of the vectors, about `work` multiply-adds at a time; a promise if that goes on off the event
   * loop.
   *
   * @returns whether all are prepared.
   */
  prepare (work: number): boolean | Promise<boolean>
  dispose (): void
}

/**
 * Buffers of the engine's own, for at most `maxRows` rows. What is written to them before a call is read by it. While a
 * call's promise is pending they are the engine's.
 *
 * All are row-major: row `i` of a state starts at `i * state.width`, what row `i` reads of an input at step `t` at
 * `(t * rows + i) * width`; outputs have the same layout.
 */
export interface Batch {
  readonly maxRows: number
  /** `states[0]` is read by a call; after `advance` of K steps the new states are in `states[K % 2]`. */
  readonly states: readonly [Float32Array, Float32Array]
  /** The buffer of input `k`, of at least `floats` numbers; what an earlier call returned is void. */
  input (k: number, floats: number): Float32Array
  /** The buffer of output `k`, of at least `floats` numbers. */
  output (k: number, floats: number): Float32Array
  /** The buffer of attention weights, of at least `floats` numbers. */
  attention (floats: number): Float32Array
  /** Has row `i` read set `set` of a memory. */
  attach (i: number, memory: Memory, set: number): void
  /**
   * Takes the first `rows` rows through `steps` steps, each from `states[0]` on. Light work is done on return; heavy work
   * may go on off the event loop: then a promise is returned.
   */
  advance (rows: number, steps: number, options: CallOptions): void | Promise<void>
  /**
   * Does some of what a step does after its cells, in place on `states[0]`: the read, the lets, the readout, and what the
   * first node reads next.
   *
   * @param from the first of the program's instructions that are done, its `read` or one after that.
   * @param to where they end, the program's `end` at most.
   */
  start (rows: number, from: number, to: number, options: Pick<CallOptions, 'attention'>): void | Promise<void>
  /** Makes what the first node would read next, in the `h_in` of `states[1]`; its inputs are those of one step. */
  peek (rows: number): void | Promise<void>
  dispose (): void
}

export interface CallOptions {
  /** Bit k: every step reads the same of input k, of which there is one step. */
  readonly repeated: number
  /** Bit k: output k is asked for. */
  readonly asked: number
  /**
   * The width of attention weights, `[steps, rows, width]`, zeros past a row's own supports; at least the largest count of
   * these rows. 0 if nobody asks for them.
   */
  readonly attention: number
}
