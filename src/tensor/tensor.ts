import { InputError, unprocessable } from '../errors.ts'

/** A float32 tensor, row-major. */
export class Tensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
  /**
   * If the rows of a `[B, T, W]` tensor were ragged: how many of the T entries of each row are its own. The others are
   * zeros.
   */
  readonly lengths: readonly number[] | undefined

  constructor (shape: readonly number[], data: Float32Array, lengths?: readonly number[]) {
    this.shape = shape
    this.data = data
    this.lengths = lengths
  }

  get rank (): number {
    return this.shape.length
  }
}

/**
 * The most numbers that a tensor may have. No body is long enough for as many, but rows are padded to the longest, so a few
 * long rows among many short ones need memory for their product.
 */
export const MAX_NUMBERS = 2 ** 26

export interface TensorForm {
  /** The ranks accepted, ascending. */
  readonly ranks: readonly number[]
  /** Whether the rows of a rank 3 tensor may differ in their number of entries. */
  readonly ragged?: boolean
}

/**
 * Reads nested arrays of finite numbers.
 *
 * @param value the field as a JSON parser returns it.
 * @param path the field's JSON pointer, for messages.
 * @throws InputError: malformed if it is not nested arrays of numbers of an accepted rank; unprocessable if it is ragged or
 *   empty, or has a number outside float32's range.
 */
export function readTensor (value: unknown, path: string, form: TensorForm): Tensor {
  const shape = measure(value, path, form)
  checkRank(shape.length, path, form)
  if (shape.length < 3) return fill(value, path, shape)
  const rows: readonly unknown[] = Array.isArray(value) ? value : []
  const lengths = rows.map((row, b) => countEntries(row, `${path}/${b}`))
  const longest = lengths.reduce((a, b) => Math.max(a, b))
  const ragged = lengths.some((length) => length !== longest) ? lengths : undefined
  checkLengths(ragged, path, form)
  return fill(value, path, [shape[0], longest, shape[2]], ragged)
}

/**
 * A tensor that arrived flat.
 *
 * @throws InputError if it has no dimensions or more than 3, is empty, or has a number outside float32's range.
 */
export function finiteTensor (shape: readonly number[], data: Float32Array, path: string): Tensor {
  if (shape.length < 1 || shape.length > 3) throw malformed(path, `expected 1 to 3 dimensions, got ${shape.length}`)
  if (data.length === 0) throw unprocessable(path, `is empty: its shape is [${shape.join(', ')}]`)
  if (!allFinite(data, 0, data.length)) {
    const at = data.findIndex((value) => !Number.isFinite(value))
    throw unprocessable(`${path}/${indicesOf(at, shape).join('/')}`, `${data[at]} is not finite as a float32`)
  }
  return new Tensor(shape, data)
}

/** Whether `length` numbers from `at` on are all finite. */
export function allFinite (values: Float32Array, at: number, length: number): boolean {
  // A product with zero is zero, except for infinities and NaN, which the sum keeps.
  let sum = 0
  for (let i = 0; i < length; i++) sum += values[at + i] * 0
  return sum === 0
}

/** The indices of the `at`th number of a row-major tensor. */
function indicesOf (at: number, shape: readonly number[]): number[] {
  return shape.map((size, axis) => Math.floor(at / shape.slice(axis + 1).reduce((a, b) => a * b, 1)) % size)
}

/** @throws InputError if a tensor that arrived flat does not have an accepted rank. */
export function checkForm ({ rank, lengths }: Tensor, path: string, form: TensorForm): void {
  checkRank(rank, path, form)
  checkLengths(lengths, path, form)
}

function checkRank (rank: number, path: string, { ranks }: TensorForm): void {
  if (ranks.includes(rank)) return
  throw malformed(path, `expected ${nestOf(ranks)}, got arrays nested ${rank > 3 ? 'more than 3' : rank} deep`)
}

function checkLengths (lengths: readonly number[] | undefined, path: string, { ragged = false }: TensorForm): void {
  if (lengths === undefined || ragged) return
  const b = lengths.findIndex((length) => length !== lengths[0])
  throw unprocessable(`${path}/${b}`, `ragged: has ${lengths[b]} entries, but ${path}/0 has ${lengths[0]}`)
}

/** The shape, taken from the first entry of each axis. */
function measure (value: unknown, path: string, { ranks }: TensorForm): number[] {
  const shape: number[] = []
  let first = value
  let at = path
  for (; Array.isArray(first); first = first[0], at += '/0') {
    if (first.length === 0) throw unprocessable(at, 'is empty')
    if (shape.push(first.length) > 3) break
  }
  if (shape.length === 0) throw malformed(path, `expected ${nestOf(ranks)}, got ${describe(value)}`)
  return shape
}

function countEntries (row: unknown, path: string): number {
  if (!Array.isArray(row)) throw malformed(path, `expected an array, got ${describe(row)}`)
  if (row.length === 0) throw unprocessable(path, 'is empty')
  return row.length
}

function fill (value: unknown, path: string, shape: readonly number[], lengths?: readonly number[]): Tensor {
  const numbers = shape.reduce((a, b) => a * b)
  if (numbers > MAX_NUMBERS) throw unprocessable(path, `its shape, [${shape.join(', ')}] for its longest rows, has ${numbers} numbers, more than the ${MAX_NUMBERS} allowed`)
  const data = new Float32Array(numbers)
  fillAxis(value, path, shape, 0, data, 0, lengths !== undefined)
  return new Tensor(shape, data, lengths)
}

function fillAxis (value: unknown, path: string, shape: readonly number[], axis: number, data: Float32Array, start: number, ragged: boolean): void {
  if (!Array.isArray(value)) throw malformed(path, `expected an array, got ${describe(value)}`)
  const items: readonly unknown[] = value
  if (items.length !== shape[axis] && !(ragged && axis === 1)) {
    const last = axis === shape.length - 1
    throw unprocessable(path, `ragged: has ${items.length} ${last ? 'numbers' : 'entries'}, but the first has ${shape[axis]}`)
  }
  if (axis < shape.length - 1) {
    const size = shape.slice(axis + 1).reduce((a, b) => a * b)
    items.forEach((item, i) => fillAxis(item, `${path}/${i}`, shape, axis + 1, data, start + i * size, ragged))
    return
  }
  for (let i = 0; i < items.length; i++) {
    const item = items[i]
    if (typeof item !== 'number') throw malformed(`${path}/${i}`, `expected a number, got ${describe(item)}`)
    data[start + i] = item
    if (!Number.isFinite(data[start + i])) throw unprocessable(`${path}/${i}`, `${item} is not finite as a float32`)
  }
}

function malformed (path: string, message: string): InputError {
  return new InputError('malformed', { path, message })
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
