import { Refusal, unprocessable } from './refusal.ts'

/** A float32 tensor, row-major. */
export class Tensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
  /**
   * Where the rows of a `[B, T, W]` tensor came ragged: how many of the T entries of each row are its own; the rest are
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

  /** Nested arrays of numbers, as JSON has it. */
  toJSON (): unknown[] {
    return nest(this.data, this.shape, 0, 0, this.data.length)
  }
}

function nest (data: Float32Array, shape: readonly number[], axis: number, start: number, end: number): unknown[] {
  if (axis === shape.length - 1) return Array.from(data.subarray(start, end))
  const size = (end - start) / shape[axis]
  return Array.from({ length: shape[axis] }, (_, i) => nest(data, shape, axis + 1, start + i * size, start + (i + 1) * size))
}

/**
 * The most numbers that a tensor may have. No body is long enough for as many; but rows are padded to the longest, and a
 * few long ones among many short ones ask for memory by their product.
 */
const MAX_NUMBERS = 2 ** 26

export interface TensorForm {
  /** The ranks accepted, ascending. */
  readonly ranks: readonly number[]
  /** Whether the rows of a rank 3 tensor may differ in their number of entries. */
  readonly ragged?: boolean
}

/**
 * Reads nested arrays of finite numbers.
 *
 * @param value what a JSON parser made of the field.
 * @param path the field's JSON pointer, for messages.
 * @throws Refusal: malformed where it is no nest of numbers of an accepted rank, unprocessable where it is ragged, empty
 *   or holds a number outside float32's range.
 */
export function readTensor (value: unknown, path: string, form: TensorForm): Tensor {
  const shape = measure(value, path, form)
  if (shape.length < 3) return fill(value, path, shape)
  const rows: readonly unknown[] = Array.isArray(value) ? value : []
  const lengths = rows.map((row, b) => countEntries(row, `${path}/${b}`))
  const longest = lengths.reduce((a, b) => Math.max(a, b))
  const ragged = lengths.some((length) => length !== longest)
  if (ragged && form.ragged !== true) {
    const b = lengths.findIndex((length) => length !== lengths[0])
    throw unprocessable(`${path}/${b}`, `ragged: has ${lengths[b]} entries where ${path}/0 has ${lengths[0]}`)
  }
  return fill(value, path, [shape[0], longest, shape[2]], ragged ? lengths : undefined)
}

/** The shape, judged by the first entry of each axis. */
function measure (value: unknown, path: string, { ranks }: TensorForm): number[] {
  const shape: number[] = []
  let first = value
  let at = path
  for (; Array.isArray(first); first = first[0], at += '/0') {
    if (first.length === 0) throw unprocessable(at, 'is empty')
    if (shape.push(first.length) > 3) break
  }
  if (shape.length === 0) throw malformed(path, `expected ${nestOf(ranks)}, got ${describe(value)}`)
  if (!ranks.includes(shape.length)) {
    const depth = shape.length > 3 ? 'more than 3' : String(shape.length)
    throw malformed(path, `expected ${nestOf(ranks)}, got arrays nested ${depth} deep`)
  }
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
    throw unprocessable(path, `ragged: has ${items.length} ${last ? 'numbers' : 'entries'} where the first has ${shape[axis]}`)
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

function malformed (path: string, message: string): Refusal {
  return new Refusal('malformed', { path, message })
}

function nestOf (ranks: readonly number[]): string {
  const names = ranks.map((rank) => ['', 'an array of numbers', 'an array of arrays of numbers', 'arrays of numbers nested 3 deep'][rank])
  return names.join(' or ')
}

/** Names a JSON value for a message, shortly. */
export function describe (value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return `the string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)}`
  return value === undefined ? 'nothing' : 'an object'
}
