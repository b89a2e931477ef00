import type { Addon } from '../engine/addon.ts'
import { Tensor } from '../tensor/tensor.ts'
import { writeDecimal } from './decimal.ts'
import { createDocumentReader, parsePlain } from './json-document.ts'
import type { JsonDocument } from './json-reader.ts'
import { holdsTensors, type Fields, type Hold } from './tensor-paths.ts'

export const JSON_TYPE = 'application/json'
/** One JSON document per line. */
export const NDJSON = 'application/x-ndjson'

/**
 * The JSON of requests and answers. Numbers of tensors are float32: a decimal is read as `JSON.parse` reads it and then
 * rounded to float32; a number is written with the fewest digits that read back as the same float32.
 */
export interface Json {
  /** Creates a reader of bodies, which reads tensors as `Tensor`s. A body's schema checks everything else. */
  reader (fields: Fields): (body: Buffer, hold: Hold) => unknown
  /** Writes an object whose fields, or those of its fields and of the objects in its arrays, may be tensors. */
  write (answer: object): string
  /** The same in pieces. None takes longer than half a millisecond. */
  pieces (answer: object): Generator<string, void>
}

/** @param addon with it, tensors go from bytes to float32 and back without a JavaScript number for each of their numbers. */
export function createJson (addon: Addon | undefined): Json {
  const writeTensor: WriteTensor = (data, shape) => addon?.writeTensor(data, ...shape) ?? writeNested(data, shape)
  return {
    reader: (fields) => createDocumentReader(addon, fields, build),
    write: (answer) => writeObject(answer, writeTensor),
    * pieces (answer) {
      let text = ''
      for (const piece of piecesOf(answer, writeTensor)) {
        text += piece
        if (text.length < MAX_TEXT) continue
        yield text
        text = ''
      }
      yield text
    }
  }
}

/** Puts the tensors in their places; undefined if the rest is not JSON, or has a name that is not allowed. */
export function build ({ rest, tensors }: JsonDocument, hold: Hold): unknown {
  let bytes = VALUE_BYTES * rest.length
  for (const { packed, lengths } of tensors) bytes += packed.byteLength + (lengths?.byteLength ?? 0)
  hold(bytes)
  const document = parsePlain(rest)
  for (const { field, shape, packed, lengths } of tensors) {
    const slash = field.indexOf('/')
    const object: unknown = slash < 0 ? document : Reflect.get(Object(document), field.slice(0, slash))
    Reflect.set(Object(object), field.slice(slash + 1), new Tensor(shape, packed, lengths))
  }
  return document
}
/** The most bytes of JavaScript values that one byte of JSON may become: `[{},{}]`. */
const VALUE_BYTES = 32

function membersOf (answer: object): Array<[name: string, value: unknown]> {
  return Object.entries(answer).filter(([, value]) => value !== undefined)
}

/** The JSON of a row-major tensor. */
type WriteTensor = (data: Float32Array, shape: readonly number[]) => string

/** The most numbers to write at once, which takes less than half a millisecond. */
const MAX_PIECE = 2 ** 13
/** Shorter texts are joined before they are sent. */
const MAX_TEXT = 2 ** 16

function writeObject (object: object, write: WriteTensor): string {
  if (Array.isArray(object)) return `[${object.map((value) => writeValue(value, write)).join(',')}]`
  return `{${membersOf(object).map(([name, value]) => `${JSON.stringify(name)}:${writeValue(value, write)}`).join(',')}}`
}

function writeValue (value: unknown, write: WriteTensor): string {
  if (value instanceof Tensor) return write(value.data, value.shape)
  return holdsTensors(value) ? writeObject(value, write) : JSON.stringify(value)
}

function * piecesOf (object: object, write: WriteTensor): Generator<string, void> {
  const named = !Array.isArray(object)
  let comma = ''
  yield named ? '{' : '['
  for (const [name, value] of membersOf(object)) {
    yield named ? `${comma}${JSON.stringify(name)}:` : comma
    comma = ','
    if (value instanceof Tensor) yield * writePieces(value.data, value.shape, write)
    else if (holdsTensors(value)) yield * piecesOf(value, write)
    else yield JSON.stringify(value)
  }
  yield named ? '}' : ']'
}

function * writePieces (data: Float32Array, shape: readonly number[], write: WriteTensor): Generator<string, void> {
  if (data.length <= MAX_PIECE) {
    yield write(data, shape)
    return
  }
  const [entries, ...inner] = shape
  const size = data.length / entries
  for (let at = 0; at < entries;) {
    yield at === 0 ? '[' : ','
    if (size > MAX_PIECE) {
      yield * writePieces(data.subarray(at * size, (at + 1) * size), inner, write)
      at++
    } else {
      const count = Math.min(entries - at, Math.floor(MAX_PIECE / size))
      yield write(data.subarray(at * size, (at + count) * size), [count, ...inner]).slice(1, -1)
      at += count
    }
  }
  yield ']'
}

/** The same without the addon, for the tensor that starts at `start`. */
function writeNested (data: Float32Array, shape: readonly number[], axis = 0, start = 0): string {
  const size = shape.slice(axis + 1).reduce((a, b) => a * b, 1)
  const items = Array.from({ length: shape[axis] }, (_, i) => {
    if (axis < shape.length - 1) return writeNested(data, shape, axis + 1, start + i * size)
    return Number.isFinite(data[start + i]) ? writeDecimal(data[start + i]) : 'null'
  })
  return `[${items.join(',')}]`
}
