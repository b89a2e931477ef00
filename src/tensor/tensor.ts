import { InputError, unprocessable } from '../errors.ts'

/** A float32 tensor, row-major. */
export class Tensor {
  readonly shape: readonly number[]
  /** The numbers in order of arrival, without padding between ragged rows. */
  readonly packed: Float32Array
  /**
   * How many of the T entries each row of a `[B, T, W]` tensor has; undefined unless they differ.
   */
  readonly lengths: Uint32Array | undefined
  #data: Float32Array | undefined

  constructor (shape: readonly number[], packed: Float32Array, lengths?: Uint32Array) {
    this.shape = shape
    this.packed = packed
    this.lengths = lengths
    if (lengths === undefined) this.#data = packed
  }

  get rank (): number {
    return this.shape.length
  }

  /** How many numbers `data` has: with ragged rows, maybe many more than arrived. */
  get size (): number {
    return this.shape.reduce((a, b) => a * b, 1)
  }

  /** Its numbers, row-major. Ragged rows are padded with zeros on first use. */
  get data (): Float32Array {
    this.#data ??= this.#pad()
    return this.#data
  }

  #pad (): Float32Array {
    const [, T, W] = this.shape
    const data = new Float32Array(this.size)
    let at = 0
    this.lengths?.forEach((length, row) => {
      data.set(this.packed.subarray(at, at + length * W), row * T * W)
      at += length * W
    })
    return data
  }
}

/** The most dimensions of a tensor. */
export const MAX_RANK = 3

/**
 * The most numbers of a tensor. No body is long enough for that many, but every row counts as long as the longest, and a few long
 * ones among many short ones need memory for the product.
 */
export const MAX_NUMBERS = 2 ** 26

export interface TensorForm {
  /** The ranks accepted, ascending. */
  readonly ranks: readonly number[]
  /** The rank that the OpenAPI document shows; the others are shorthand. The largest if left out. */
  readonly documented?: number
  /** Whether the rows of a rank 3 tensor may differ in their number of entries. */
  readonly ragged?: boolean
}

/** What is wrong with a value that should be a tensor. */
export interface Misfit {
  /** JSON pointer, relative to the value. */
  readonly path: string
  readonly message: string
  /** Whether the value is a tensor of an accepted rank. */
  readonly wellFormed: boolean
}

/** Checks a value that the wire has read. */
export function findMisfit (value: unknown, { ranks, ragged = false }: TensorForm): Misfit | undefined {
  if (!(value instanceof Tensor)) return { path: '', message: `expected ${nestOf(ranks)}, got ${describe(value)}`, wellFormed: false }
  const { rank, lengths } = value
  if (!ranks.includes(rank)) return { path: '', message: `expected ${nestOf(ranks)}, got arrays nested ${rank} deep`, wellFormed: false }
  if (lengths === undefined || ragged) return undefined
  const b = lengths.findIndex((length) => length !== lengths[0])
  return { path: `/${b}`, message: `ragged: has ${lengths[b]} entries, but the first has ${lengths[0]}`, wellFormed: true }
}

/** @throws InputError if a tensor of this shape would have too many numbers. */
export function checkSize (shape: readonly number[], path: string): void {
  const numbers = shape.reduce((a, b) => a * b)
  if (numbers > MAX_NUMBERS) throw unprocessable(path, `its shape, [${shape.join(', ')}] for its longest rows, has ${numbers} numbers, more than the ${MAX_NUMBERS} allowed`)
}

/**
 * Makes a tensor from flat numbers.
 *
 * @throws InputError if it has no dimensions or more than 3, is empty, or has a number outside float32's range.
 */
export function finiteTensor (shape: readonly number[], data: Float32Array, path: string): Tensor {
  if (shape.length < 1 || shape.length > MAX_RANK) throw new InputError('malformed', { path, message: `expected 1 to ${MAX_RANK} dimensions, got ${shape.length}` })
  if (data.length === 0) throw unprocessable(path, `is empty: its shape is [${shape.join(', ')}]`)
  if (!allFinite(data, 0, data.length)) {
    const at = data.findIndex((value) => !Number.isFinite(value))
    throw unprocessable(`${path}/${indicesOf(at, shape).join('/')}`, `${data[at]} is not finite as a float32`)
  }
  return new Tensor(shape, data)
}

/** Whether `length` numbers from `at` on are all finite. */
export function allFinite (values: Float32Array, at: number, length: number): boolean {
  // No sum of float32 numbers overflows a double, and infinities and NaN stay in it. Four sums do not wait for one another. They
  // are declared separately: the loop takes three times as long after a destructuring.
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  const end = at + length
  let i = at
  for (; i + 4 <= end; i += 4) {
    a += values[i]
    b += values[i + 1]
    c += values[i + 2]
    d += values[i + 3]
  }
  for (; i < end; i++) a += values[i]
  return Number.isFinite(a + b + c + d)
}

/** Copies `length` numbers. Short vectors are copied one number at a time: creating a view costs more. */
export function copyNumbers (from: Float32Array, fromAt: number, to: Float32Array, toAt: number, length: number): void {
  if (length > 64) to.set(from.subarray(fromAt, fromAt + length), toAt)
  else for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i]
}

/** The indices of the `at`th number of a row-major tensor. */
function indicesOf (at: number, shape: readonly number[]): number[] {
  return shape.map((size, axis) => Math.floor(at / shape.slice(axis + 1).reduce((a, b) => a * b, 1)) % size)
}

function nestOf (ranks: readonly number[]): string {
  const names = ranks.map((rank) => ['', 'an array of numbers', 'an array of arrays of numbers', 'arrays of numbers nested 3 deep'][rank])
  return names.join(' or ')
}

/** A short name of a JSON value, for a message. */
export function describe (value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return `the string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)}`
  return value === undefined ? 'nothing' : 'an object'
}
