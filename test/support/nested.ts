import Type from 'typebox'
import { compile, TensorSchema } from '../../src/tensor/schema.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { createJson } from '../../src/wire/json.ts'

const read = createJson(undefined).reader({ known: ['x'], tensors: ['x'] })
const validate = compile(Type.Object({ x: TensorSchema({ ranks: [1, 2, 3], ragged: true }, {}) }))

/** The tensor from a request with these nested arrays. */
export function tensorOf (nested: readonly unknown[]): Tensor {
  return validate(read(Buffer.from(JSON.stringify({ x: nested })), () => {}), '').x
}
