import secureJson from 'secure-json-parse'
import type { Addon } from '../engine/addon.ts'
import { InputError } from '../errors.ts'
import { MAX_NUMBERS, Tensor } from '../tensor/tensor.ts'
import { writeDecimal } from './decimal.ts'

export const JSON_TYPE = 'application/json'
/** One JSON document per line. */
export const NDJSON = 'application/x-ndjson'

/**
 * The JSON of requests and answers. Numbers of tensors are float32: a decimal is read as `JSON.parse` reads it and then
 * rounded to float32; a number is written with the fewest digits that read back as the same float32.
 */
export interface Json {
  /**
   * @param fields the fields that are tensors, such as `x` and `context/vectors`. They may be returned as `Tensor`s; their
   *   schema reports what is wrong with one.
   */
  reader (fields: readonly string[]): (body: Buffer) => unknown
  /** An object whose own fields may be tensors. */
  write (answer: object): string
}

/** @param addon if present, tensors go from bytes to float32 and back without a JavaScript number for each of their numbers. */
export function createJson (addon: Addon | undefined): Json {
  const write = (tensor: Tensor): string => addon?.writeTensor(tensor.data, ...tensor.shape) ?? writeNested(tensor.data, tensor.shape)
  return {
    reader: (fields) => addon === undefined ? readJson : createNativeReader(addon, fields),
    write (answer) {
      const fields = Object.entries(answer).filter(([, value]) => value !== undefined).map(([name, value]) => `${JSON.stringify(name)}:${value instanceof Tensor ? write(value) : JSON.stringify(value)}`)
      return `{${fields.join(',')}}`
    }
  }
}

/** The most levels of nesting in a document. Parsing a million levels takes a second. */
const MAX_DEPTH = 64

/**
 * Reads a JSON document. Keys that would reach an object's prototype are an error.
 *
 * @throws InputError if it is not JSON or is nested too deep; the message says where.
 */
export function readJson (body: Buffer): unknown {
  if (isDeep(body)) throw new InputError('malformed', { path: '', message: `the body is nested more than ${MAX_DEPTH} deep` })
  const text = body.toString()
  try {
    return parse(text)
  } catch (error) {
    throw new InputError('malformed', { path: '', message: text === '' ? 'the body is empty' : whatIsWrong(error) })
  }
}

function createNativeReader (addon: Addon, fields: readonly string[]): (body: Buffer) => unknown {
  const read = addon.createReader(fields, MAX_NUMBERS)
  const paths = fields.map((field) => field.split('/'))
  return (body) => {
    const document = read(body)
    if (document === undefined) return readJson(body)
    let result: unknown
    try {
      result = parse(document.rest)
    } catch {
      return readJson(body)
    }
    const { values, layout } = document
    for (let i = 0, at = 0; i < layout.length;) {
      const [field, rank, , , , lengths] = layout.subarray(i, i + 6)
      const shape = Array.from(layout.subarray(i + 2, i + 2 + rank))
      const size = shape.reduce((a, b) => a * b)
      const ragged = lengths > 0 ? Array.from(layout.subarray(i + 6, i + 6 + lengths)) : undefined
      put(result, paths[field], new Tensor(shape, values.subarray(at, at + size), ragged))
      at += size
      i += 6 + lengths
    }
    return result
  }
}

function put (document: unknown, path: readonly string[], tensor: Tensor): void {
  let object = document
  for (const name of path.slice(0, -1)) object = Reflect.get(Object(object), name)
  Reflect.set(Object(object), path[path.length - 1], tensor)
}

function parse (text: string): unknown {
  return isPlain(text) ? JSON.parse(text) : secureJson.parse(text, null, { protoAction: 'error', constructorAction: 'error' })
}

function isDeep (body: Buffer): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < body.length; i++) {
    const character = body[i]
    if (character === QUOTE) inString = !inString
    else if (inString) i += Number(character === BACKSLASH)
    else if ((character | 0x20) === 0x7b && ++depth > MAX_DEPTH) return true
    else if ((character | 0x20) === 0x7d) depth--
  }
  return false
}
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Most bodies contain nothing that could spell such a key, and checking that is much faster than searching for one. */
function isPlain (text: string): boolean {
  return !text.includes('__proto__') && !text.includes('constructor') && !text.includes('\\u') && !text.startsWith('\ufeff')
}

function whatIsWrong (error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error)
  return reason.includes('forbidden prototype') ? 'a key of the body is __proto__ or constructor, which is not allowed' : `the body is not JSON: ${reason}`
}

/** The JSON of the row-major tensor that starts at `start`. */
function writeNested (data: Float32Array, shape: readonly number[], axis = 0, start = 0): string {
  const size = shape.slice(axis + 1).reduce((a, b) => a * b, 1)
  const items = Array.from({ length: shape[axis] }, (_, i) => {
    if (axis < shape.length - 1) return writeNested(data, shape, axis + 1, start + i * size)
    return Number.isFinite(data[start + i]) ? writeDecimal(data[start + i]) : 'null'
  })
  return `[${items.join(',')}]`
}
