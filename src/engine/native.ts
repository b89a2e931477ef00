import { loadAddon, type Addon, type AddonEngine, type AddonMemory, type AddonProgram } from './addon.ts'
import { usableCores } from './cores.ts'
import { encode } from './encode.ts'
import type { Batch, Engine, LoadedNetwork, Memory } from './engine.ts'
import { compileStage } from './program.ts'
import type { Stage } from '../network/network.ts'
import type { Precision } from '../network/precision.ts'
import { withoutWeights } from '../network/without-weights.ts'

export interface NativeOptions {
  /** Compute threads; by default as many as the cores that the process may use. */
  readonly threads?: number | undefined
  /** The instruction set, one of `nativeKernels()`; by default the best that the CPU has. All produce the same bits. */
  readonly isa?: string | undefined
  /** Work with fewer multiply-adds than this is done on the event loop's own thread, before the call returns. */
  readonly inlineBelow?: number | undefined
}

/**
 * Measured: from here on, two threads beat the event loop's own thread, despite the 30 to 100 us that it takes to wake them
 * and to get their result. It is 100 to 200 us of work, for which the event loop can wait.
 */
const INLINE_BELOW = 4_000_000

/** The most that a thread does in a millisecond, after which others have their turn. */
const BUDGET = 2 ** 25

/**
 * Creates the engine with our own kernel.
 *
 * @throws Error if the addon has not been built or does not load, or an option asks for something that does not exist.
 */
export function createNativeEngine (options: NativeOptions = {}): Engine {
  const addon = loadAddon()
  const isa = chooseIsa(addon, options.isa)
  const threads = options.threads ?? usableCores()
  const engine = addon.createEngine(isa, threads, options.inlineBelow ?? INLINE_BELOW)
  return {
    name: 'native',
    backend: `${isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    budget: BUDGET,
    holds: (precision) => precision,
    load: ({ stages, precision }) => loadedNetwork(stages, stages.map((stage) => engine.load(...partsOf(stage, precision)))),
    async loadBeside ({ stages, precision }) {
      const programs: AddonProgram[] = []
      for (const stage of stages) programs.push(await engine.loadBeside(...partsOf(stage, precision)))
      return loadedNetwork(stages, programs)
    }
  }
}

/** The instruction sets that both the addon and this CPU have, best first. */
export function nativeKernels (): readonly string[] {
  return loadAddon().kernels
}

function chooseIsa ({ kernels }: Addon, asked: string | undefined): string {
  if (asked === undefined) return kernels[0]
  if (kernels.includes(asked)) return asked
  throw new Error(`isa is ${asked}, but this CPU and build run ${kernels.join(', ')}`)
}

function partsOf (stage: Stage, precision: Precision | undefined): Parameters<AddonEngine['load']> {
  const { words, tensors } = encode(compileStage(stage), precision)
  return [words, tensors]
}

function loadedNetwork (stages: readonly Stage[], loaded: readonly AddonProgram[]): LoadedNetwork {
  return {
    programs: stages.map((stage) => compileStage(withoutWeights(stage))),
    batch: (stage, maxRows) => createBatch(loaded[stage], maxRows),
    remember: (stage, support, counts) => new NativeMemory(loaded[stage], support, counts),
    dispose: () => loaded.forEach((program) => program.dispose())
  }
}

class NativeMemory implements Memory {
  readonly counts: readonly number[]
  readonly #memory: AddonMemory
  /** The vectors that are still to be prepared; released afterwards. */
  #support: Float32Array
  /** The preparation in progress. */
  #pending: Promise<boolean> | undefined

  constructor (program: AddonProgram, support: Float32Array, counts: readonly number[]) {
    this.counts = counts
    this.#support = support
    this.#memory = program.remember(Uint32Array.from(counts))
  }

  /** Its id in the addon. */
  get id (): number {
    return this.#memory.id
  }

  prepare (work: number): boolean | Promise<boolean> {
    // Another task that reads it may have started the preparation.
    if (this.#pending !== undefined) return this.#pending
    const ready = this.#memory.prepare(this.#support, work)
    if (typeof ready === 'boolean') return this.#letGo(ready)
    this.#pending = ready.then((all) => this.#letGo(all)).finally(() => { this.#pending = undefined })
    return this.#pending
  }

  dispose (): void {
    this.#letGo(true)
    this.#memory.dispose()
  }

  #letGo (ready: boolean): boolean {
    if (ready) this.#support = NOTHING
    return ready
  }
}

const NOTHING = new Float32Array(0)

function createBatch (program: AddonProgram, maxRows: number): Batch {
  const batch = program.batch(maxRows)
  // The memory and the set of each row. The memories are kept, so that none is collected while it is attached.
  const attached = new Float64Array(2 * maxRows)
  const memories: Memory[] = []
  const attention = growing((_, floats) => batch.attention(floats))
  return {
    maxRows,
    states: batch.states,
    input: growing((k, floats) => batch.input(k, floats)),
    output: growing((k, floats) => batch.output(k, floats)),
    attention: (floats) => attention(0, floats),
    attach (i, memory, set) {
      if (!(memory instanceof NativeMemory)) throw new TypeError('the memory is not of this engine')
      memories[i] = memory
      attached[2 * i] = memory.id
      attached[2 * i + 1] = set
    },
    advance: (rows, steps, { repeated, asked, attention }) => batch.advance(rows, steps, repeated, asked, attention, attached),
    start: (rows, from, to, { attention }) => batch.start(rows, from, to, attention, attached),
    peek: (rows) => batch.peek(rows),
    dispose: () => batch.dispose()
  }
}

/** Keeps the arrays of buffers, and replaces one that is too short with one that is at least half as long again. */
function growing (make: (k: number, floats: number) => Float32Array): (k: number, floats: number) => Float32Array {
  const arrays: Float32Array[] = []
  return (k, floats) => {
    const array = arrays[k]
    if (array !== undefined && array.length >= floats) return array
    const longer = make(k, Math.max(floats, Math.ceil((array?.length ?? 0) * 1.5)))
    arrays[k] = longer
    return longer
  }
}
