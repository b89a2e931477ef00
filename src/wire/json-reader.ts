import { InputError, pointerPart, unprocessable } from '../errors.ts'
import { checkSize, describe, MAX_RANK, type Tensor } from '../tensor/tensor.ts'
import { CLOSE_ARRAY, CLOSE_OBJECT, COMMA, JsonCursor, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './json-cursor.ts'
import type { Fields } from './tensor-paths.ts'

/** A body whose tensors have been read. It is plain data, which can be sent between threads. */
export interface JsonDocument {
  /** The document with a 0 in place of each tensor; it is JSON. */
  readonly rest: string
  readonly tensors: readonly FoundTensor[]
}

/** The content of a `Tensor`, and the field that it belongs to. */
export interface FoundTensor extends Pick<Tensor, 'shape' | 'packed' | 'lengths'> {
  readonly field: string
}

/**
 * The most bytes of a body outside its tensors. As JavaScript values they may take thirty times as much memory, and no
 * request needs more.
 */
export const MAX_REST = 2 ** 20

/**
 * Reads a body's tensors from bytes to float32, and rejects what the request does not accept before it builds anything.
 * `native/json/document.cc` reads the same documents, but leaves errors and their messages to this reader.
 *
 * @throws InputError: malformed if the body is not JSON, has an unknown or repeated field, or a tensor that is not
 *   nested arrays of numbers; unprocessable if a tensor is empty, uneven or too large, or has a number outside float32's range.
 */
export function readDocument (body: Buffer, { known, tensors: fields }: Fields): JsonDocument {
  const cursor = new JsonCursor(body)
  const groups = fields.filter((field) => field.includes('/')).map((field) => field.split('/', 1)[0])
  const seen = new Set<string>()
  const tensors: FoundTensor[] = []
  let rest = ''
  let copied = cursor.at
  let left = MAX_REST

  cursor.skipSpace()
  if (cursor.at === body.length) throw malformed('', 'the body is empty')
  if (cursor.take(OPEN_OBJECT)) readMembers('')
  else skip('', 0)
  cursor.skipSpace()
  if (cursor.at < body.length) cursor.fail('its end')
  copyRest()
  return { rest, tensors }

  /** Reads the members of an object whose opening brace was read: the body's, or those of its field `group`. */
  function readMembers (group: string): void {
    if (cursor.take(CLOSE_OBJECT)) return
    do readField(group, cursor.readName())
    while (cursor.take(COMMA))
    if (!cursor.take(CLOSE_OBJECT)) cursor.fail('"," or "}"')
  }

  function readField (group: string, name: string): void {
    const field = group === '' ? name : `${group}/${name}`
    const path = `${group === '' ? '' : `/${group}`}/${pointerPart(name)}`
    if (group === '' && !known.includes(name)) throw malformed(path, 'is not a known field')
    const isTensor = fields.includes(field)
    if (group === '' || isTensor) {
      if (seen.has(field)) throw malformed(path, 'appears twice')
      seen.add(field)
    }
    if (isTensor && body[cursor.at] === OPEN_ARRAY) {
      copyRest()
      rest += '0'
      tensors.push({ field, ...readTensor(cursor, path) })
      copied = cursor.at
    } else if (group === '' && groups.includes(name) && cursor.take(OPEN_OBJECT)) {
      readMembers(name)
    } else {
      skip(path, group === '' ? 1 : 2)
    }
  }

  function skip (path: string, depth: number): void {
    if (!cursor.skipValue(depth, copied + left)) throw tooLong(path)
  }

  function copyRest (): void {
    left -= cursor.at - copied
    if (left < 0) throw tooLong('')
    rest += body.toString('utf8', copied, cursor.at)
  }
}

/** Reads the nested numbers whose bracket is next. */
function readTensor (cursor: JsonCursor, path: string): Omit<FoundTensor, 'field'> {
  const rank = cursor.countBrackets(MAX_RANK + 1)
  if (rank > MAX_RANK) throw malformed(path, `expected arrays of numbers, got arrays nested more than ${MAX_RANK} deep`)
  // A number takes at least one byte, and a comma or a bracket.
  const numbers = new Float32Array(Math.ceil((cursor.bytes.length - cursor.at) / 2))
  let count = 0
  const sizes: Array<number | undefined> = new Array(rank).fill(undefined)
  /** How many entries each row of `[B, T, W]` has. */
  const lengths: number[] = []
  const index: number[] = new Array(rank).fill(0)
  const pathTo = (axis: number): string => [path, ...index.slice(0, axis)].join('/')

  function readAxis (axis: number): void {
    const last = axis === rank - 1
    let entries = 0
    if (!cursor.take(OPEN_ARRAY)) throw malformed(pathTo(axis), `expected an array, got ${describeNext(cursor)}`)
    if (!cursor.take(CLOSE_ARRAY)) {
      do {
        index[axis] = entries++
        if (last) readNumber()
        else readAxis(axis + 1)
      } while (cursor.take(COMMA))
      if (!cursor.take(CLOSE_ARRAY)) cursor.fail('"," or "]"')
    }
    const isRow = rank === 3 && axis === 1
    const size = sizes[axis]
    if (entries === 0 && (size === undefined || isRow)) throw unprocessable(pathTo(axis), 'is empty')
    if (isRow) lengths.push(entries)
    else if (size !== undefined && size !== entries) throw unprocessable(pathTo(axis), `ragged: has ${entries} ${last ? 'numbers' : 'entries'}, but the first has ${size}`)
    sizes[axis] = isRow ? Math.max(size ?? 0, entries) : entries
  }

  function readNumber (): void {
    cursor.skipSpace()
    if (!cursor.isAtNumber) throw malformed(pathTo(rank), `expected a number, got ${describeNext(cursor)}`)
    const number = cursor.readNumber()
    numbers[count] = number
    if (!Number.isFinite(numbers[count])) throw unprocessable(pathTo(rank), `${number} is not finite as a float32`)
    count++
  }

  readAxis(0)
  const shape = sizes.map((size = 0) => size)
  checkSize(shape, path)
  return { shape, packed: numbers.slice(0, count), lengths: lengths.some((length) => length !== shape[1]) ? new Uint32Array(lengths) : undefined }
}

/** Skips a value and names it for a message. */
function describeNext (cursor: JsonCursor): string {
  const { bytes, at: begin } = cursor
  cursor.skipValue(MAX_RANK, Infinity)
  const text = bytes.toString('utf8', begin, Math.min(cursor.at, begin + MAX_DESCRIBED))
  if (cursor.at <= begin + MAX_DESCRIBED) return describe(JSON.parse(text))
  switch (bytes[begin]) {
    case QUOTE: return describe(text.slice(1))
    case OPEN_ARRAY: return describe([])
    default: return describe({})
  }
}
const MAX_DESCRIBED = 1024

function tooLong (path: string): InputError {
  return malformed(path, `the body has more than ${MAX_REST} bytes that are not tensors`)
}

function malformed (path: string, message: string): InputError {
  return new InputError('malformed', { path, message })
}
