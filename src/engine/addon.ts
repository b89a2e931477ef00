import { createRequire } from 'node:module'
import { messageOf } from '../errors.ts'
import { prebuiltFolder } from './prebuilt.ts'

/**
 * The number of this interface, which `native/binding/addon.cc` contains as well. If you change what the addon exports, accepts
 * or returns, including the words of a program, raise both; an addon that is older than the sources is then refused.
 */
export const INTERFACE = 1

/** What `native/binding/addon.cc` exports. It checks all arguments itself. */
export interface Addon {
  readonly interface: typeof INTERFACE
  /** The instruction sets that this CPU runs, best first. */
  readonly kernels: readonly [string, ...string[]]
  createEngine (kernel: string, threads: number, inlineBelow: number): AddonEngine
  /**
   * Creates a reader for the tensors of a JSON document; it returns undefined if the plain reader has to check the document.
   *
   * @param known the document's own fields.
   * @param tensors the fields that are tensors, such as `x` and `context/vectors`.
   * @param mostNumbers the most numbers of a tensor, its rows padded to the longest.
   * @param mostRest the most bytes that do not belong to a tensor.
   */
  createReader (known: readonly string[], tensors: readonly string[], mostNumbers: number, mostRest: number): (bytes: Uint8Array) => AddonDocument | undefined
  /** The JSON of a row-major tensor. */
  writeTensor (data: Float32Array, ...shape: readonly number[]): string
}

export interface AddonEngine {
  /** Loads a program, as `encode` writes it. */
  load (words: Int32Array, tensors: readonly Float32Array[]): AddonProgram
  /** Like `load`, but off the event loop. Until the promise settles, the tensors must not change, and their memory must not be transferred. */
  loadBeside (words: Int32Array, tensors: readonly Float32Array[]): Promise<AddonProgram>
}

export interface AddonProgram {
  batch (maxRows: number): AddonBatch
  /** @param counts how many vectors each set has. */
  remember (counts: Uint32Array): AddonMemory
  dispose (): undefined
}

/** The arrays are the addon's own memory; `attached` has the memory's id and the set of each row. */
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
  /** The document with a 0 in place of each tensor. */
  readonly rest: string
  /** The numbers of all tensors, unchanged: rows are not padded. */
  readonly values: Float32Array
  /** For each tensor: its field's index, its rank, three sizes, how many numbers it has, how many row lengths follow, and the row lengths. */
  readonly layout: Uint32Array
}

/** Built on this machine, or packed into the package for it. The paths are the same from `src` and from `dist`. */
const PLACES = ['build/Release', prebuiltFolder()]

const BUILD = 'With a C++ compiler and Python, `npm rebuild cellserve` in an application, or `npm run install` in a clone, builds it'

/**
 * Loads the addon.
 *
 * @param load loads a file from its path, relative to this file; by default, Node.js loads it.
 * @throws Error if it has not been built, does not load or is of another version; the message says what to do.
 */
export function loadAddon (load?: (path: string) => unknown): Addon {
  // A switch for tests of the service without the addon.
  const places = load === undefined && process.env.TEST_NO_ADDON === '1' ? [] : PLACES
  const require: (path: string) => unknown = load ?? createRequire(import.meta.url)
  const reasons: string[] = []
  for (const place of places) {
    try {
      const addon = require(`../../${place}/cellserve.node`)
      if (isAddon(addon)) return addon
      reasons.push(`the addon in ${place} is from another version of the service`)
    } catch (error) {
      if (!isNotFound(error)) reasons.push(messageOf(error))
    }
  }
  throw new Error(`The native engine is not available: ${reasons.join('; ') || 'its addon has not been built'}. ${BUILD}`)
}

/** The addon, if it loads. */
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
