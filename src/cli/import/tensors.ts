import { arrangeKernel, storageOf, type Storage } from '../../weights/layouts/kernel.ts'
import type { Floats } from '../../weights/layouts/floats.ts'
import { ImportError } from './import-error.ts'

export { storageOf }

/** Transposes a matrix `[columns, rows]` to `[rows, columns]`. */
export function transposed ({ shape: [columns, rows], data }: Floats): Floats {
  return { shape: [rows, columns], data: arrangeKernel(data, rows, { gates: [0], transposed: true }) }
}

/** Converts a cell's kernel to the layout of `Cell`. */
export function kernel ({ shape: [first, second], data }: Floats, storage: Storage): Floats {
  const [rows, columns] = storage.transposed ? [second, first] : [first, second]
  return { shape: [rows, columns], data: arrangeKernel(data, rows, storage) }
}

/** Converts a cell's bias to the layout of `Cell`. */
export function bias (data: Float32Array, { gates }: Storage): Floats {
  return { shape: [data.length], data: arrangeKernel(data, data.length, { gates, transposed: false }) }
}

/**
 * Checks a tensor's shape before it is used.
 *
 * @throws ImportError
 */
export function expectShape (what: string, tensor: Floats | undefined, shape: readonly number[]): Floats {
  if (tensor === undefined) throw new ImportError(`${what} is missing`)
  if (tensor.shape.length === shape.length && shape.every((size, axis) => size === tensor.shape[axis])) return tensor
  throw new ImportError(`${what} has shape [${tensor.shape.join(', ')}], expected [${shape.join(', ')}]`)
}

/** How many numbers a tensor of this shape has. */
export function numbersOf (shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}
