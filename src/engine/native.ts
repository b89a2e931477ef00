import { loadAddon, type Addon, type AddonEngine } from './addon.ts'
import { createCell, type Cell } from '../network/cell.ts'
import { usableCores } from './cores.ts'
import type { Batch, Engine, Run, Stepper } from './engine.ts'

export interface NativeOptions {
  /** Compute threads; by default as many as the cores that the process may use. */
  readonly threads?: number | undefined
  /** The instruction set, one of `nativeKernels()`; by default the best that the CPU has. All give the same bits. */
  readonly isa?: string | undefined
  /** Work of fewer multiply-adds than this is done on the event loop's own thread, before the call returns. */
  readonly inlineBelow?: number | undefined
}

/**
 * Measured: from here on two threads beat the event loop's own in spite of the 30 to 100 us that it takes to wake them and
 * to hear from them. It is 100 to 200 us of work, which the event loop may wait for.
 */
const INLINE_BELOW = 4_000_000

/**
 * The engine of our own kernel.
 *
 * @throws Error where the addon has not been built or does not load, or an option asks for what is not there.
 */
export function createNativeEngine (options: NativeOptions = {}): Engine {
  const addon = loadAddon()
  const isa = chooseIsa(addon, options.isa)
  const threads = options.threads ?? usableCores()
  const engine = addon.createEngine(isa, threads, options.inlineBelow ?? INLINE_BELOW)
  return {
    name: 'native',
    backend: `${isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    load: (cell) => load(engine, cell)
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

function load (engine: AddonEngine, cell: Cell): Stepper {
  const { sizes: { I, Hi, Ho }, weightIh, weightHh, biasIh, biasHh } = createCell(cell)
  const stepper = engine.load(I, Hi, Ho, weightIh, weightHh, biasIh, biasHh)
  return {
    step: ({ rows, x, hIn, cIn, hOut, cOut }: Batch) => stepper.step(rows, x, hIn, cIn, hOut, cOut),
    run ({ steps, rows, x, sameX, hIn, c, output, feedback: { repeat, vectors, projection } }: Run) {
      return stepper.run(steps, rows, x, sameX, hIn, c, output, repeat, vectors?.data, vectors?.perStep ?? false,
        projection?.weight, projection?.bias)
    },
    dispose: () => stepper.dispose()
  }
}
