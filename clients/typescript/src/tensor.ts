/** How many dimensions a tensor has. */
export type Rank = 1 | 2 | 3

interface Shapes {
  1: readonly [number]
  2: readonly [number, number]
  3: readonly [number, number, number]
}

/** The length determines the rank, for the compiler as well. */
export type Shape<R extends Rank = Rank> = Shapes[R] & { readonly length: R }

type Numbers = readonly number[] | Float32Array

interface Arrays {
  1: Numbers
  2: readonly Numbers[]
  3: ReadonlyArray<readonly Numbers[]>
}

/** What a request accepts as a tensor: nested arrays, the innermost of which can be typed, or float32 numbers with their shape. */
export type TensorLike<R extends Rank = Rank> = Arrays[R] | { readonly data: Float32Array, readonly shape: Shape<R> }

/** A float32 tensor, row-major. */
export class Tensor<R extends Rank = Rank> {
  readonly data: Float32Array
  readonly shape: Shape<R>

  /** @throws RangeError if the number of values does not match the shape. */
  constructor (data: Float32Array, shape: Shape<R>) {
    const size = sizeOf(shape)
    if (data.length !== size) throw new RangeError(`a tensor of shape [${shape.join(', ')}] has ${size} numbers, got ${data.length}`)
    this.data = data
    this.shape = shape
  }

  /** The same numbers as nested arrays. */
  nested (this: Tensor<1>): number[]
  nested (this: Tensor<2>): number[][]
  nested (this: Tensor<3>): number[][][]
  nested (): NestedArrays
  nested (): NestedArrays {
    const [first, second = 1, third] = this.shape
    if (this.shape.length === 1) return [...this.data]
    const rows = (from: number, count: number, width: number): number[][] => Array.from({ length: count }, (_, i) => [...this.data.subarray((from + i) * width, (from + i + 1) * width)])
    return third === undefined ? rows(0, first, second) : Array.from({ length: first }, (_, b) => rows(b * second, second, third))
  }

  /** For `JSON.stringify`. */
  toJSON (): NestedArrays {
    return this.nested()
  }
}

export type NestedArrays = number[] | number[][] | number[][][]

/** Whether a tensor has this many dimensions. */
export function hasRank<R extends Rank> (tensor: Tensor, rank: R): tensor is Tensor<R> {
  return tensor.shape.length === rank
}

/** Creates a tensor with 1 to 3 dimensions. */
export function tensorOf (data: Float32Array, shape: readonly number[]): Tensor {
  const [a, b, c] = shape
  switch (shape.length) {
    case 1: return new Tensor<Rank>(data, [a])
    case 2: return new Tensor<Rank>(data, [a, b])
    case 3: return new Tensor<Rank>(data, [a, b, c])
    default: throw new RangeError(`expected 1 to 3 dimensions, got ${shape.length}`)
  }
}

function sizeOf (shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/**
 * Converts nested arrays, or an object like a tensor, to a tensor.
 *
 * @returns undefined if the value is neither, or its arrays are ragged.
 */
export function toTensor (value: unknown): Tensor | undefined {
  if (value instanceof Tensor) return value
  if (isFloats(value)) return tensorOf(value.data, value.shape)
  const shape: number[] = []
  let inner = value
  for (; isArray(inner) && shape.length < 3; inner = inner[0]) shape.push(inner.length)
  if (shape.length === 0 || typeof inner !== 'number') return undefined
  const data = new Float32Array(sizeOf(shape))
  return fill(data, 0, value, shape, 0) ? tensorOf(data, shape) : undefined
}

/** Copies nested arrays to their place in `data`, and returns whether they have that shape. */
function fill (data: Float32Array, at: number, value: unknown, shape: readonly number[], axis: number): boolean {
  if (!isArray(value) || value.length !== shape[axis]) return false
  if (axis < shape.length - 1) {
    const step = sizeOf(shape.slice(axis + 1))
    for (let i = 0; i < value.length; i++) if (!fill(data, at + i * step, value[i], shape, axis + 1)) return false
    return true
  }
  for (let i = 0; i < value.length; i++) {
    const number = value[i]
    if (typeof number !== 'number') return false
    data[at + i] = number
  }
  return true
}

/** Whether a value is a Float32Array from any realm: frames of a page and test runners have their own classes. */
export function isFloat32 (value: unknown): value is Float32Array {
  return Object.prototype.toString.call(value) === '[object Float32Array]'
}

function isArray (value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || isFloat32(value)
}

/** Whether a value has the fields of a tensor. */
export function isFloats (value: unknown): value is { readonly data: Float32Array, readonly shape: readonly number[] } {
  return typeof value === 'object' && value !== null && 'data' in value && 'shape' in value && isFloat32(value.data) && Array.isArray(value.shape)
}
