import { encodeFloats } from '../../tensor/dtypes.ts'
import { Tensor } from '../../tensor/tensor.ts'

/** The fields of an answer other than its outputs. */
export interface AnswerHead {
  readonly model_name: string
  readonly model_version: string
  readonly id?: string | undefined
  readonly parameters?: object | undefined
}

export interface Output {
  readonly name: string
  readonly tensor: Tensor
  /** Whether its numbers are bytes after the JSON, or in it. */
  readonly binary: boolean
}

/** An answer as JSON only, as an object of tensors that is still to be written; its numbers are flat, row-major. */
export function inferenceObject (head: AnswerHead, outputs: readonly Output[]): object {
  return { ...head, outputs: outputs.map(({ name, tensor: { shape, data } }) => ({ name, datatype: 'FP32', shape, data: new Tensor([data.length], data) })) }
}

/**
 * An answer with some outputs as bytes after the JSON.
 *
 * @param write writes an object of tensors as JSON.
 * @returns its parts: the JSON, then the tensors' own memory.
 */
export function writeInference (head: AnswerHead, outputs: readonly Output[], write: (answer: object) => string): [head: Buffer, ...tensors: Uint8Array[]] {
  const entries = outputs.map(({ name, tensor: { shape, data }, binary }) => {
    const values = binary ? `"parameters":{"binary_data_size":${data.byteLength}}}` : write({ data: new Tensor([data.length], data) }).slice(1)
    return `{"name":${JSON.stringify(name)},"datatype":"FP32","shape":[${shape.join(',')}],${values}`
  })
  const text = `${JSON.stringify(head).slice(0, -1)},"outputs":[${entries.join(',')}]}`
  return [Buffer.from(text), ...outputs.flatMap(({ tensor, binary }) => binary ? [encodeFloats(tensor.data)] : [])]
}
