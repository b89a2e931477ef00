import { decodeFloats, FLOAT_DTYPES } from '../../tensor/dtypes.ts'
import type { StoredTensor } from '../../tensor/safetensors.ts'
import { allFinite } from '../../tensor/tensor.ts'

/** Tensors that do not form a network. The message is one line that names the tensor, what was expected and what was found. */
export class LayoutError extends Error {
  override readonly name = 'LayoutError'
}

/** A floating-point tensor as float32. */
export interface Floats {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/**
 * Reads a floating-point tensor as float32: a view of the file's bytes if they already have that form.
 *
 * @throws LayoutError if the tensor is missing, its dtype is not F32, F16, BF16 or F64, or a value is not finite.
 */
export function readFloats (tensors: ReadonlyMap<string, StoredTensor>, name: string): Floats {
  const stored = tensors.get(name)
  if (stored === undefined) throw new LayoutError(`tensor ${name}: is missing; found ${listOf([...tensors.keys()])}`)
  const data = decodeFloats(stored.dtype, stored.bytes)
  if (data === undefined) throw new LayoutError(`tensor ${name}: expected dtype ${FLOAT_DTYPES.join(', ')}, found ${stored.dtype}`)
  if (!allFinite(data, 0, data.length)) {
    const odd = data.findIndex((value) => !Number.isFinite(value))
    throw new LayoutError(`tensor ${name}: element ${odd} is ${data[odd]} as a float32`)
  }
  return { shape: stored.shape, data }
}

/** The error for a tensor with an unexpected shape; an axis that may have any size has a name in `expected`. */
export function wrongShape (name: string, expected: ReadonlyArray<number | string>, why: string, found: readonly number[], hint = ''): LayoutError {
  return new LayoutError(`tensor ${name}: expected shape [${expected.join(', ')}]${why}, found [${found.join(', ')}]${hint}`)
}

/** Lists names in a message, shortened if they are many or long. */
export function listOf (names: readonly string[]): string {
  if (names.length === 0) return 'none'
  const some = names.slice(0, MAX_NAMES).map((name) => name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}...` : name).join(', ')
  return names.length > MAX_NAMES ? `${some} and ${names.length - MAX_NAMES} more` : some
}
const MAX_NAMES = 12
const MAX_NAME = 80

/** Yields every floating-point tensor as float32, one at a time, whatever its values are; others are left out. */
export function * readAllFloats (tensors: ReadonlyMap<string, StoredTensor>): Generator<readonly [name: string, tensor: Floats]> {
  for (const [name, { dtype, shape, bytes }] of tensors) {
    const data = decodeFloats(dtype, bytes)
    if (data !== undefined) yield [name, { shape, data }]
  }
}
