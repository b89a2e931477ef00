import { createRequire } from 'node:module'
import { messageOf } from '../errors.ts'
import { prebuiltFolder } from './prebuilt.ts'

/**
 * The number of this interface, which `native/binding/addon.cc` has as well. Whoever changes what the addon exports, takes or
 * answers, the words of a program included, raises both; then an addon that is older than the sources is not taken.
 */
export const INTERFACE = 1

/** What `native/binding/addon.cc` exports. It checks all arguments itself. */
export interface Addon {
  readonly interface: typeof INTERFACE
  /** The instruction sets that this CPU runs, best first. */
  readonly kernels: readonly [string, ...string[]]
  createEngine (kernel: string, threads: number, inlineBelow: number): AddonEngine
  /**
   * Reads the tensors of a JSON document; undefined if the plain reader has to judge it.
   *
   * @param known the document's own fields.
   * @param tensors those that are tensors, as `x` and `context/vectors`.
   * @param mostNumbers the most numbers of a tensor, its rows padded to the longest.
   * @param mostRest the most bytes that are no tensor's.
   */
  createReader (known: readonly string[], tensors: readonly string[], mostNumbers: number, mostRest: number): (bytes: Uint8Array) => AddonDocument | undefined
  /** The JSON of a row-major tensor. */
  writeTensor (data: Float32Array, ...shape: readonly number[]): string
}

export interface AddonEngine {
  /** Takes over a program, as `encode` writes it. */
  load (words: Int32Array, tensors: readonly Float32Array[]): AddonProgram
  /** The same off the event loop. Until the promise settles the tensors stay as they are, and nobody transfers their memory. */
  loadBeside (words: Int32Array, tensors: readonly Float32Array[]): Promise<AddonProgram>
}

export interface AddonProgram {
  batch (maxRows: number): AddonBatch
  /** @param counts how many vectors each set has. */
  remember (counts: Uint32Array): AddonMemory
  dispose (): undefined
}

/** The arrays are memory of the addon's own; `attached` has the memory's id and the set of each row. */
export interface AddonBatch {
  readonly states: readonly [Float32Array, Float32Array]
  input (k: number, floats: number): Float32Array
  output (k: number, floats: number): Float32Array
  attention (floats: number): Float32Array
  advance (
    rows: number, steps: number, repeated: number, asked: number, attention: number, attached: Float64Array
  ): undefined | Promise<undefined>
  start (rows: number, from: number, to: number, attention: number, attached: Float64Array): undefined | Promise<undefined>
  peek (rows: number): undefined | Promise<undefined>
  dispose (): undefined
}

export interface AddonMemory {
  readonly id: number
  prepare (support: Float32Array, work: number): boolean | Promise<boolean>
  dispose (): undefined
}

export interface AddonDocument {
  /** The document with a 0 in the place of each tensor. */
  readonly rest: string
  /** The numbers of all tensors as they came: rows are not padded. */
  readonly values: Float32Array
  /** Of each tensor: its field's index, its rank, three sizes, how many numbers it has, how many row lengths follow, and those. */
  readonly layout: Uint32Array
}

/** Built on this machine, or packed into the package for it; the same path from `src` and `dist`. */
const PLACES = ['build/Release', prebuiltFolder()]

const BUILD = 'With a C++ compiler and Python, `npm rebuild cellserve` in an application, or `npm run install` in a clone, builds it'

/**
 * Loads the addon.
 *
 * @param load takes the path of a file, from this one; left out, Node.js loads it.
 * @throws Error if it has not been built, does not load or is of another version; the message says what to do.
 */
export function loadAddon (load?: (path: string) => unknown): Addon {
  // A switch for tests of the service without it.
  const places = load === undefined && process.env.TEST_NO_ADDON === '1' ? [] : PLACES
  const require: (path: string) => unknown = load ?? createRequire(import.meta.url)
  const reasons: string[] = []
  for (const place of places) {
    try {
      const addon = require(`../../${place}/cellserve.node`)
      if (isAddon(addon)) return addon
      reasons.push(`the addon in ${place} is of another version than the service`)
    } catch (error) {
      if (!isNotFound(error)) reasons.push(messageOf(error))
    }
  }
  throw new Error(`The native engine is not available: ${reasons.join('; ') || 'its addon has not been built'}. ${BUILD}`)
}

/** The addon where it loads. */
export function findAddon (): Addon | undefined {
  try {
    return loadAddon()
  } catch {
    return undefined
  }
}

function isAddon (value: unknown): value is Addon {
  return typeof value === 'object' && value !== null && 'interface' in value && value.interface === INTERFACE
}

function isNotFound (error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND'
}
