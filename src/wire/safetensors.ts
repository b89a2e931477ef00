import { InputError, pointerPart, unprocessable } from '../errors.ts'
import { finiteTensor, Tensor } from '../tensor/tensor.ts'
import { decodedBytes, decodeFloats, decodeIntegers, FLOAT_DTYPES, INTEGER_DTYPES } from '../tensor/dtypes.ts'
import { tensorsOf, type Fields, type Hold } from './tensor-paths.ts'
import { parseSafetensors, SafetensorsError, writeSafetensors, type StoredTensor } from '../tensor/safetensors.ts'

/** The media type of a safetensors document. */
export const SAFETENSORS = 'application/vnd.safetensors'

/** A request has a handful of tensors, and parsing a header of megabytes takes a second. */
const MAX_HEADER = 2 ** 14

/**
 * Creates a reader of requests that are safetensors documents. A tensor has the name of its field: `vectors` is
 * `context/vectors`. Tensors may be F32, F16, BF16 or F64, integers I32 or I64.
 *
 * @returns the reader, which throws an InputError if the document violates the format or contains something that the request does not accept.
 */
export function createBinaryReader ({ tensors, integers = [], nested = [] }: Fields): (body: Buffer, hold: Hold) => object {
  const paths = new Map([...tensors, ...integers, ...nested].map((field) => [field.slice(field.indexOf('/') + 1), field]))
  return (body, hold) => {
    const document: Record<string, unknown> = {}
    for (const [name, stored] of parse(body)) {
      const field = paths.get(name)
      if (field === undefined) throw new InputError('malformed', { path: `/${pointerPart(name)}`, message: `is not a known field; expected one of ${[...paths.keys()].join(', ')}` })
      const read = integers.includes(field) ? readIntegers : nested.includes(field) ? readNested : readFloats
      const value = read(stored, `/${field}`, hold)
      const group = field.slice(0, -name.length - 1)
      if (group === '') document[field] = value
      else document[group] = { ...Object(document[group]), [name]: value }
    }
    return document
  }
}

/** The tensors of an answer as a safetensors document, F32, in parts. */
export function writeBinary (answer: object): Uint8Array[] {
  return writeSafetensors(tensorsOf(answer))
}

function parse (body: Buffer): Map<string, StoredTensor> {
  try {
    return parseSafetensors(body, MAX_HEADER)
  } catch (error) {
    if (error instanceof SafetensorsError) throw new InputError('malformed', { path: '', message: `the body is not a safetensors document: it ${error.message}` })
    throw error
  }
}

function readFloats ({ dtype, shape, bytes }: StoredTensor, path: string, hold: Hold): Tensor {
  hold(decodedBytes(dtype, bytes))
  const data = decodeFloats(dtype, bytes)
  if (data === undefined) throw new InputError('malformed', { path, message: `expected ${FLOAT_DTYPES.join(', ')}, got ${dtype}` })
  return finiteTensor(shape, data, path)
}

function readIntegers ({ dtype, shape, bytes }: StoredTensor, path: string, hold: Hold): number[] {
  // A JavaScript number takes eight bytes.
  hold(2 * bytes.byteLength)
  const integers = shape.length === 1 ? decodeIntegers(dtype, bytes) : undefined
  if (integers === undefined) throw new InputError('malformed', { path, message: `expected a list of ${INTEGER_DTYPES.join(' or ')}, got ${dtype} of shape [${shape.slice(0, 8).join(', ')}]` })
  return integers
}

function readNested ({ dtype, shape, bytes }: StoredTensor, path: string, hold: Hold): unknown {
  const [rows = 0] = shape
  // Rows without numbers take no bytes of the document, so there may be any number of them.
  if (bytes.byteLength === 0) throw unprocessable(path, `is empty: its shape is [${shape.slice(0, 8).join(', ')}]`)
  hold(2 * bytes.byteLength + ROW_BYTES * rows)
  const integers = shape.length <= 2 ? decodeIntegers(dtype, bytes) : undefined
  if (integers === undefined) throw new InputError('malformed', { path, message: `expected ${INTEGER_DTYPES.join(' or ')} of at most 2 dimensions, got ${dtype} of shape [${shape.slice(0, 8).join(', ')}]` })
  if (shape.length === 0) return integers[0]
  if (shape.length === 1) return integers
  return Array.from({ length: rows }, (_, row) => integers.slice(row * shape[1], (row + 1) * shape[1]))
}

/** What an array takes beside its numbers. */
const ROW_BYTES = 64
