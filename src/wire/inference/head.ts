import Type, { type Static } from '../../tensor/typebox.ts'
import { InputError } from '../../errors.ts'
import { compile } from '../../tensor/schema.ts'
import { MAX_RANK } from '../../tensor/tensor.ts'
import { parsePlain } from '../json-document.ts'
import { CLOSE_ARRAY, CLOSE_OBJECT, COMMA, JsonCursor, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from '../json-cursor.ts'
import { MAX_REST } from '../json-reader.ts'
import type { Hold } from '../tensor-paths.ts'

const Size = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Name = Type.String({ minLength: 1 })

/** The parameters of an input or an output. Others have no effect. */
const TensorParameters = Type.Object({
  binary_data_size: Type.Optional(Size),
  binary_data: Type.Optional(Type.Boolean()),
  classification: Type.Optional(Size),
  shared_memory_region: Type.Optional(Type.String())
})

const Parameters = Type.Object({
  sequence_id: Type.Optional(Type.Unsafe<string | number>({ type: ['string', 'integer'] })),
  sequence_start: Type.Optional(Type.Boolean()),
  sequence_end: Type.Optional(Type.Boolean()),
  binary_data_output: Type.Optional(Type.Boolean()),
  priority: Type.Optional(Size),
  timeout: Type.Optional(Size),
  steps: Type.Optional(Type.Integer({ minimum: 1 })),
  return_sequences: Type.Optional(Type.Boolean()),
  t: Type.Optional(Size)
}, { additionalProperties: false })

const Document = Type.Object({
  id: Type.Optional(Type.String()),
  // KServe's client repeats these from the path.
  model_name: Type.Optional(Type.String()),
  model_version: Type.Optional(Type.String()),
  parameters: Type.Optional(Parameters),
  inputs: Type.Array(Type.Object({
    name: Name,
    shape: Type.Array(Size),
    datatype: Type.String(),
    parameters: Type.Optional(TensorParameters),
    data: Type.Optional(Type.Integer())
  }, { additionalProperties: false })),
  outputs: Type.Optional(Type.Array(Type.Object({ name: Name, parameters: Type.Optional(TensorParameters) }, { additionalProperties: false })))
}, { additionalProperties: false })

const judge = compile(Document)

/** An inference request without the numbers of its tensors. */
export interface Head extends Static<typeof Document> {
  /** The arrays of its inputs, indexed by the numbers in their `data`. */
  readonly data: readonly Buffer[]
  /** A `sequence_id` that was sent as a number. It can have 64 bits, which a JavaScript number would round. */
  readonly sequence: bigint | undefined
}

/** The most bytes of JavaScript values that one byte of JSON may become. */
const VALUE_BYTES = 32

/** @throws InputError if the bytes are not JSON, or not an inference request. */
export function readHead (bytes: Buffer, hold: Hold): Head {
  const short = bytes.length > MAX_SHORT ? undefined : readShort(bytes.toString())
  if (short !== undefined) return short
  const { rest, data, sequence } = cut(bytes)
  hold(VALUE_BYTES * rest.length)
  const document = parsePlain(rest)
  if (document === undefined) throw malformed('', 'the request has a field named __proto__ or constructor, which is not allowed')
  return { ...judge(document, ''), data, sequence }
}

/** The longest head that `JSON.parse` reads without a scan of its bytes first. */
const MAX_SHORT = 4096
const SEQUENCE_ID = '"sequence_id"'
/** An id that a JavaScript number holds exactly, or a string. */
const SAFE_ID = /"sequence_id"\s*:\s*(?:"|\d{1,15}\s*[,}])/

/** The same for a head from which `JSON.parse` loses nothing, like most heads with binary tensors; undefined if it might lose something. */
function readShort (text: string): Head | undefined {
  if (text.includes('"data"') || text.includes('\\')) return undefined
  const at = text.indexOf(SEQUENCE_ID)
  if (at >= 0 && (at !== text.lastIndexOf(SEQUENCE_ID) || !SAFE_ID.test(text))) return undefined
  const document = parsePlain(text)
  if (document === undefined) return undefined
  const head = judge(document, '')
  const id = head.parameters?.sequence_id
  return { ...head, data: [], sequence: typeof id === 'number' ? BigInt(id) : undefined }
}

interface Cut {
  /** The document with a number in place of each array of data, and 0 in place of a sequence id that is a number. */
  readonly rest: string
  readonly data: readonly Buffer[]
  readonly sequence: bigint | undefined
}

/** Cuts out the parts that are too long or too precise for `JSON.parse`. */
function cut (bytes: Buffer): Cut {
  const cursor = new JsonCursor(bytes)
  const data: Buffer[] = []
  let sequence: bigint | undefined
  let input = 0
  let rest = ''
  let copied = cursor.at
  let left = MAX_REST

  cursor.skipSpace()
  if (cursor.at === bytes.length) throw malformed('', 'the request is empty')
  members((name) => {
    if (name === 'parameters') members((field) => field === 'sequence_id' ? takeId() : skip())
    else if (name === 'inputs') items(() => members((field) => field === 'data' ? takeData(`/inputs/${input}/data`) : skip()))
    else skip()
  })
  cursor.skipSpace()
  if (cursor.at < bytes.length) cursor.fail('its end')
  copyRest()
  return { rest, data, sequence }

  /** Reads the members of an object; skips any other value. */
  function members (read: (name: string) => void): void {
    if (!cursor.take(OPEN_OBJECT)) return skip()
    if (cursor.take(CLOSE_OBJECT)) return
    do read(cursor.readName())
    while (cursor.take(COMMA))
    if (!cursor.take(CLOSE_OBJECT)) cursor.fail('"," or "}"')
  }

  function items (read: () => void): void {
    if (!cursor.take(OPEN_ARRAY)) return skip()
    if (cursor.take(CLOSE_ARRAY)) return
    input = 0
    do {
      read()
      input++
    } while (cursor.take(COMMA))
    if (!cursor.take(CLOSE_ARRAY)) cursor.fail('"," or "]"')
  }

  function takeId (): void {
    cursor.skipSpace()
    if (!cursor.isAtNumber) return skip()
    copyRest()
    cursor.readNumber()
    const text = bytes.toString('latin1', copied, cursor.at)
    if (!/^\d{1,20}$/.test(text) || BigInt(text) > MAX_ID) throw malformed('/parameters/sequence_id', `expected a string or an integer from 0 to ${MAX_ID}, got ${text.slice(0, 40)}`)
    sequence = BigInt(text)
    put(0)
  }

  function takeData (path: string): void {
    cursor.skipSpace()
    if (bytes[cursor.at] !== OPEN_ARRAY) throw malformed(path, 'expected an array of numbers')
    copyRest()
    skipNest(path)
    put(data.push(bytes.subarray(copied, cursor.at)) - 1)
  }

  /** Skips nested arrays up to their last bracket; their content is checked when it is read. */
  function skipNest (path: string): void {
    let depth = 0
    do {
      const byte = bytes[cursor.at++]
      if (byte === OPEN_ARRAY && ++depth > MAX_RANK) throw malformed(path, `expected arrays of numbers, got arrays nested more than ${MAX_RANK} deep`)
      else if (byte === CLOSE_ARRAY) depth--
      else if (byte === QUOTE) throw malformed(path, 'expected numbers, got a string')
      else if (byte === undefined) cursor.fail('"]"')
    } while (depth > 0)
  }

  /** Writes a number in place of the text that has been read. */
  function put (number: number): void {
    rest += String(number)
    copied = cursor.at
  }

  function skip (): void {
    if (!cursor.skipValue(2, copied + left)) throw tooLong()
  }

  function copyRest (): void {
    left -= cursor.at - copied
    if (left < 0) throw tooLong()
    rest += bytes.toString('utf8', copied, cursor.at)
    copied = cursor.at
  }
}

const MAX_ID = 2n ** 64n - 1n

function tooLong (): InputError {
  return malformed('', `the request has more than ${MAX_REST} bytes that are not tensors`)
}

function malformed (path: string, message: string): InputError {
  return new InputError('malformed', { path, message })
}
