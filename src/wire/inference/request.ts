import { InputError, unprocessable } from '../../errors.ts'
import { DTYPE_BITS } from '../../tensor/dtypes.ts'
import { Known, MAX_KNOWN_BYTES } from '../../tensor/known.ts'
import type { StoredTensor } from '../../tensor/safetensors.ts'
import type { Json } from '../json.ts'
import { createStoredReader } from '../safetensors.ts'
import type { Fields, Hold } from '../tensor-paths.ts'
import { DTYPES } from './datatypes.ts'
import { createLayoutReader, type Layout, type Said } from './layout.ts'

/** An inference request of the Open Inference Protocol. */
export interface Inference extends Said {
  /** Its inputs under the names of a request's fields; inputs of the context are in `context`. */
  readonly inputs: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

export interface InferenceReader {
  /** Reads a body. @param headLength how many of its bytes are JSON, from the request's header; all if left out, 0 if the body is one input. */
  read (body: Buffer, headLength: number | undefined, hold: Hold): Inference
  /** Reads a body whose JSON has already been read. */
  readBehind (body: Buffer, headLength: number, layout: Layout, hold: Hold): Inference
}

/**
 * Creates a reader of inference requests: JSON, and the binary tensor extension.
 *
 * @param fields what the model's requests hold.
 * @param raw the input of a body that consists of one input only; undefined if the model accepts none.
 * @returns the reader, which throws an InputError if the body violates the protocol or has an input that the model does not accept.
 */
export function createInferenceReader (fields: Fields, raw: RawInput | undefined, json: Json): InferenceReader {
  const read = createStoredReader(fields)
  const readLayout = createLayoutReader(fields, json)
  /** Heads that were valid before, except those with an id or with values, which hardly ever repeat. */
  const known = new Known<{ readonly head: Buffer, readonly layout: Layout }>()

  function layoutOf (body: Buffer, length: number, hold: Hold): Layout {
    for (const before of known.under(length, 0)) {
      if (before.head.compare(body, 0, length) === 0) return before.layout
    }
    const head = body.subarray(0, length)
    const layout = readLayout(head, hold)
    if (length > MAX_KNOWN_BYTES) return layout
    const { said: { id, sequence }, inputs } = layout
    if (id !== undefined || sequence !== undefined || inputs.some(({ stored }) => stored !== undefined)) return layout
    known.add(length, 0, { head: Buffer.from(head), layout })
    return layout
  }

  function readBehind (body: Buffer, headLength: number, { said, inputs, bytes }: Layout, hold: Hold): Inference {
    const there = body.length - headLength
    if (bytes !== there) throw malformed('/inputs', `the binary_data_size of all inputs add up to ${bytes} bytes, but ${there} follow the JSON${headLength === body.length ? `; ${HEAD_LENGTH} says where it ends` : ''}`)
    const at = body.byteOffset + headLength
    const tensors: Array<readonly [string, StoredTensor]> = []
    for (const { name, dtype, shape, begin, end, stored } of inputs) tensors.push([name, stored ?? { dtype, shape, bytes: new Uint8Array(body.buffer, at + begin, end - begin) }])
    return { ...said, inputs: read(tensors, hold), body }
  }

  return {
    read (body, given, hold) {
      if (given === 0) return { ...ONE_INPUT, inputs: read([rawInput(body, raw)], hold), body }
      const headLength = given ?? body.length
      if (headLength > body.length) throw malformed('', `${HEAD_LENGTH}: says that ${headLength} bytes of the body are JSON, and it has ${body.length}`)
      return readBehind(body, headLength, layoutOf(body, headLength, hold), hold)
    },
    readBehind
  }
}

/** The header that says how many bytes of a body are JSON. */
export const HEAD_LENGTH = 'Inference-Header-Content-Length'

const ONE_INPUT = { id: undefined, options: {}, sequence: undefined, outputs: undefined, binary: true }

/** An input that a body can consist of: one row's vectors or ids. */
export interface RawInput {
  readonly name: string
  readonly datatype: 'FP32' | 'INT64'
  /** How many numbers a step reads. */
  readonly width: number
}

function rawInput (body: Buffer, raw: RawInput | undefined): [string, StoredTensor] {
  if (raw === undefined) throw unprocessable('', 'the body is one input, and this model reads neither x nor ids')
  const { name, datatype, width } = raw
  const dtype = DTYPES[datatype]
  const each = width * DTYPE_BITS[dtype] / 8
  if (body.length === 0 || body.length % each !== 0) throw unprocessable(`/${name}`, `expected a body of one or more steps, ${width} ${datatype} each: a multiple of ${each} bytes, got ${body.length}`)
  const T = body.length / each
  return [name, { dtype, shape: name === 'x' ? [1, T, width] : [1, T], bytes: new Uint8Array(body.buffer, body.byteOffset, body.length) }]
}

function malformed (path: string, message: string): InputError {
  return new InputError('malformed', { path, message })
}
