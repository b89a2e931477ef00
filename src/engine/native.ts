import { createRequire } from 'node:module'
import { createCell, type Cell } from '../cell.ts'
import { usableCores } from './cores.ts'
import type { Batch, Engine, Run, Stepper } from './engine.ts'

export interface NativeOptions {
  /** Compute threads; by default as many as the cores that the process may use. */
  readonly threads?: number | undefined
  /**
   * The instruction set, one of `nativeKernels()`; by default what `CELLSERVE_ISA` in the environment names, else the best
   * that the CPU has. All give the same bits.
   */
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
  const isa = asked ?? process.env.CELLSERVE_ISA ?? ''
  if (isa === '') return kernels[0]
  if (kernels.includes(isa)) return isa
  const name = asked === undefined ? 'CELLSERVE_ISA' : 'isa'
  throw new Error(`${name} is ${isa}, but this CPU and build run ${kernels.join(', ')}`)
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

/** What `native/binding/addon.cc` exports. It checks all arguments itself. */
interface Addon {
  readonly kernels: readonly [string, ...string[]]
  createEngine (kernel: string, threads: number, inlineBelow: number): AddonEngine
}

interface AddonEngine {
  load (
    I: number, Hi: number, Ho: number,
    weightIh: Float32Array, weightHh: Float32Array, biasIh: Float32Array, biasHh: Float32Array
  ): AddonStepper
}

interface AddonStepper {
  step (
    rows: number, x: Float32Array, hIn: Float32Array, cIn: Float32Array, hOut: Float32Array, cOut: Float32Array
  ): undefined | Promise<undefined>
  run (
    steps: number, rows: number, x: Float32Array, sameX: boolean, hIn: Float32Array, c: Float32Array, output: Float32Array,
    repeat: number, vectors: Float32Array | undefined, perStep: boolean,
    projectionWeight: Float32Array | undefined, projectionBias: Float32Array | undefined
  ): undefined | Promise<undefined>
  dispose (): undefined
}

/** Built on this machine, or packed into the package for it; the same path from `src/engine` and `dist/engine`. */
const PLACES = ['../../build/Release', `../../prebuilds/${process.platform}-${process.arch}`]

function loadAddon (): Addon {
  const require = createRequire(import.meta.url)
  const reasons: string[] = []
  for (const place of PLACES) {
    try {
      const addon: unknown = require(`${place}/cellserve.node`)
      if (isAddon(addon)) return addon
      reasons.push(`${place} holds another version`)
    } catch (error) {
      if (!isNotFound(error)) reasons.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new Error(`The native engine is not available: ${reasons.join('; ') || 'its addon has not been built. ' +
    'With a C++ compiler and Python, `npm rebuild cellserve` in an application, or `npm run install` in a clone, builds it'}`)
}

function isAddon (value: unknown): value is Addon {
  return typeof value === 'object' && value !== null &&
    'createEngine' in value && typeof value.createEngine === 'function' &&
    'kernels' in value && Array.isArray(value.kernels) && value.kernels.length > 0
}

function isNotFound (error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND'
}
