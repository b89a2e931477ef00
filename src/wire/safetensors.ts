import { InputError, pointerPart, unprocessable } from '../errors.ts'
import { finiteTensor, Tensor } from '../tensor/tensor.ts'
import { decodedBytes, decodeFloats, decodeIntegers, FLOAT_DTYPES, INTEGER_DTYPES } from '../tensor/dtypes.ts'
import { tensorsOf, type Fields, type Hold } from './tensor-paths.ts'
import { parseSafetensors, SafetensorsError, storeFloats, writeSafetensors, type StoredTensor } from '../tensor/safetensors.ts'

/** The media type of a safetensors document. */
export const SAFETENSORS = 'application/vnd.safetensors'

/** A request has a handful of tensors, and parsing a header of megabytes takes a second. */
const MAX_HEADER = 2 ** 14

/**
 * Creates a reader of requests that are safetensors documents.
 *
 * @returns the reader, which throws an InputError if the document violates the format or contains something that the request does not accept.
 */
export function createBinaryReader (fields: Fields): (body: Buffer, hold: Hold) => object {
  const read = createStoredReader(fields)
  return (body, hold) => read(parse(body), hold)
}

/**
 * Creates a reader of requests whose fields are stored tensors. A tensor has the name of its field: `vectors` is
 * `context/vectors`. Tensors may be F32, F16, BF16 or F64, integers I32 or I64; a token is its bytes, U8 `[N]`, and tokens are `[B][N]`.
 */
export function createStoredReader ({ tensors, integers = [], nested = [], tokens = [] }: Fields): (stored: Iterable<readonly [name: string, tensor: StoredTensor]>, hold: Hold) => Record<string, unknown> {
  const places = new Map([
    ...tensors.map((field) => placeOf(field, readFloats)), ...integers.map((field) => placeOf(field, readIntegers)),
    ...nested.map((field) => placeOf(field, readNested)), ...tokens.map((field) => placeOf(field, readTokens))
  ])
  return (stored, hold) => {
    const document: Record<string, unknown> = {}
    for (const [name, tensor] of stored) {
      const place = places.get(name)
      if (place === undefined) throw new InputError('malformed', { path: `/${pointerPart(name)}`, message: `is not a known field; expected one of ${[...places.keys()].join(', ')}` })
      const { read, path, group } = place
      const value = read(tensor, path, hold)
      if (group === undefined) document[name] = value
      else document[group] = { ...Object(document[group]), [name]: value }
    }
    return document
  }
}

/** Where a tensor belongs in a request, and how it is read. */
interface Place {
  readonly read: Reader
  readonly path: string
  /** The field that contains it, if it is not a field of the request itself. */
  readonly group: string | undefined
}

function placeOf (field: string, read: Reader): [name: string, place: Place] {
  const slash = field.indexOf('/')
  return [field.slice(slash + 1), { read, path: `/${field}`, group: slash < 0 ? undefined : field.slice(0, slash) }]
}

type Reader = (stored: StoredTensor, path: string, hold: Hold) => unknown

/** Writes an answer as a safetensors document, in parts: its tensors as F32, its `state` as the bytes of its tokens, its `t` as I64. */
export function writeBinary (answer: object): Uint8Array[] {
  const { state, t }: { readonly state?: unknown, readonly t?: unknown } = answer
  const tensors = tensorsOf(answer).map(([path, tensor]): [string, StoredTensor] => [path, storeFloats(tensor)])
  if (typeof t === 'number') tensors.push(['t', storeInteger(t)])
  if (state !== undefined) tensors.push(['state', storeTokens(state)])
  return writeSafetensors(tensors)
}

function storeInteger (value: number): StoredTensor {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(value))
  return { dtype: 'I64', shape: [], bytes }
}

/** All tokens of an answer have the same length. */
function storeTokens (state: unknown): StoredTensor {
  const tokens = [state].flat().map((token) => Buffer.from(String(token), 'base64url'))
  const shape = [tokens[0].length]
  return { dtype: 'U8', shape: Array.isArray(state) ? [tokens.length, ...shape] : shape, bytes: Buffer.concat(tokens) }
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

function readTokens ({ dtype, shape, bytes }: StoredTensor, path: string, hold: Hold): string | string[] {
  if (dtype !== 'U8' || shape.length < 1 || shape.length > 2 || bytes.length === 0) {
    throw new InputError('malformed', { path, message: `expected the bytes of tokens, U8 [N] or [B][N], got ${dtype} of shape [${shape.slice(0, 8).join(', ')}]` })
  }
  hold(2 * bytes.byteLength)
  const N = shape[shape.length - 1]
  const tokens = Array.from({ length: bytes.byteLength / N }, (_, i) => Buffer.from(bytes.buffer, bytes.byteOffset + i * N, N).toString('base64url'))
  return shape.length === 1 ? tokens[0] : tokens
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

/** The bytes that an array takes in addition to its numbers. */
const ROW_BYTES = 64
