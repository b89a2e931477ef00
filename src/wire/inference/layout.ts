import { InputError, pointerPart, unprocessable } from '../../errors.ts'
import { DTYPE_BITS, encodeFloats } from '../../tensor/dtypes.ts'
import type { Place, StoredTensor } from '../../tensor/safetensors.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { MAX_REST } from '../json-reader.ts'
import type { Json } from '../json.ts'
import type { Fields, Hold } from '../tensor-paths.ts'
import { DTYPES, FLOAT_DATATYPES, INTEGER_DATATYPES } from './datatypes.ts'
import { readHead, type Head } from './head.ts'

/** What the head of an inference request contains other than its inputs. */
export interface Said {
  /** The answer repeats it. */
  readonly id: string | undefined
  readonly options: Options
  /** The sequence that the request belongs to, if it names one. */
  readonly sequence: SequencePart | undefined
  /** The requested outputs; all if left out. */
  readonly outputs: readonly AskedOutput[] | undefined
  /** Whether outputs are answered as bytes if they do not specify it themselves. */
  readonly binary: boolean
}

export interface Options {
  readonly steps?: number
  readonly return_sequences?: boolean
  readonly t?: number
  /** Seconds. */
  readonly timeout?: number
}

/** A part of a sequence that its client has named. */
export interface SequencePart {
  readonly id: string | bigint
  readonly start: boolean
  readonly end: boolean
}

export interface AskedOutput {
  readonly name: string
  readonly binary: boolean | undefined
}

/** A head that has been read: the place of each input after it, or the input itself. It is plain data, which can be sent between threads. */
export interface Layout {
  readonly said: Said
  readonly inputs: readonly Input[]
  /** How many bytes of tensors follow the head. */
  readonly bytes: number
}

/** An input: a place after the head, or the numbers from its `data`. */
interface Input extends Place {
  readonly stored: StoredTensor | undefined
}

/** The inputs that a request may have. */
export type InputFields = Pick<Fields, 'tensors' | 'integers' | 'nested'>

/**
 * Creates a reader of heads, which runs in any thread.
 *
 * @returns the reader, which throws an InputError if a head violates the protocol or has an input that the model does not accept.
 */
export function createLayoutReader (fields: InputFields, json: Pick<Json, 'reader'>): (head: Buffer, hold: Hold) => Layout {
  const placeInput = createPlacer(fields, json)
  return (head, hold) => layOut(readHead(head, hold), placeInput, hold)
}

/** Finds where an input is, given how many bytes precede it. */
type Placer = (input: Head['inputs'][number], data: Head['data'], path: string, begin: number, hold: Hold) => Input

function layOut (head: Head, placeInput: Placer, hold: Hold): Layout {
  const { parameters = {}, outputs } = head
  const places: Input[] = []
  for (const [i, input] of head.inputs.entries()) {
    if (places.some(({ name }) => name === input.name)) throw malformed(`/inputs/${i}`, `there are two inputs named ${JSON.stringify(input.name)}`)
    places.push(placeInput(input, head.data, `/inputs/${i}`, places.at(-1)?.end ?? 0, hold))
  }
  const { steps, return_sequences: sequences, t, timeout = 0, binary_data_output: binary = false } = parameters
  return {
    inputs: places,
    bytes: places.at(-1)?.end ?? 0,
    said: {
      id: head.id,
      options: {
        ...(steps !== undefined && { steps }),
        ...(sequences !== undefined && { return_sequences: sequences }),
        ...(t !== undefined && { t }),
        // Triton uses microseconds, and 0 means no limit.
        ...(timeout > 0 && { timeout: timeout / 1e6 })
      },
      sequence: sequenceOf(head),
      outputs: outputs === undefined || outputs.length === 0
        ? undefined
        : outputs.map(({ name, parameters: asked = {} }, i) => {
          const path = `/outputs/${i}`
          if (outputs.findIndex((other) => other.name === name) !== i) throw malformed(path, `${JSON.stringify(name)} is asked for twice`)
          if (asked.shared_memory_region !== undefined) throw unprocessable(`${path}/parameters/shared_memory_region`, NO_SHARED_MEMORY)
          if (asked.classification !== undefined && asked.classification > 0) throw unprocessable(`${path}/parameters/classification`, 'the service does not compute classes: ask for y, and take the largest')
          return { name, binary: asked.binary_data }
        }),
      binary
    }
  }
}

const NO_SHARED_MEMORY = 'tensors travel in the body; shared memory is not supported'

/** An id of 0, or an empty one, names no sequence. */
function sequenceOf ({ parameters = {}, sequence }: Head): SequencePart | undefined {
  const { sequence_id: given, sequence_start: start = false, sequence_end: end = false, t } = parameters
  const id = typeof given === 'number' ? sequence : given
  if (id !== undefined && id !== 0n && id !== '') return { id, start, end }
  const alone = start ? 'sequence_start' : end ? 'sequence_end' : t !== undefined ? 't' : undefined
  if (alone !== undefined) throw malformed(`/parameters/${alone}`, `needs a sequence_id${given === undefined ? ', and there is none' : ' other than 0 and ""'}`)
  return undefined
}

function createPlacer ({ tensors, integers = [], nested = [] }: InputFields, json: Pick<Json, 'reader'>): Placer {
  const nameOf = (field: string): string => field.slice(field.indexOf('/') + 1)
  const floats = new Set(tensors.map(nameOf))
  const counts = new Set([...integers, ...nested].map(nameOf))
  const readNumbers = createNumberReader(json)

  return ({ name, shape, datatype, parameters = {}, data: index }, data, path, begin, hold) => {
    if (!floats.has(name) && !counts.has(name)) throw malformed(`${path}/name`, `there is no input ${JSON.stringify(pointerPart(name))}; the inputs are ${[...floats, ...counts].join(', ')}`)
    const fits = floats.has(name) ? FLOAT_DATATYPES : INTEGER_DATATYPES
    if (!fits.includes(datatype)) throw malformed(`${path}/datatype`, `${name} is ${fits.slice(0, -1).join(', ')} or ${fits.at(-1)}, got ${JSON.stringify(datatype.slice(0, 40))}`)
    if (parameters.shared_memory_region !== undefined) throw unprocessable(`${path}/parameters/shared_memory_region`, NO_SHARED_MEMORY)
    const dtype = DTYPES[datatype]
    const numbers = shape.reduce((product, size) => product * size, 1)
    const size = parameters.binary_data_size
    if (size !== undefined) {
      if (index !== undefined) throw malformed(`${path}/data`, 'cannot be combined with binary_data_size')
      const bytes = numbers * DTYPE_BITS[dtype] / 8
      if (size !== bytes) throw malformed(`${path}/parameters/binary_data_size`, `${datatype} of shape [${shape.slice(0, 8).join(', ')}] takes ${bytes} bytes, got ${size}`)
      return { name, dtype, shape, begin, end: begin + size, stored: undefined }
    }
    if (index === undefined) throw malformed(`${path}/data`, 'is required, if there is no binary_data_size')
    return { name, dtype, shape, begin, end: begin, stored: readNumbers(data[index], floats.has(name), shape, `${path}/data`, hold) }
  }
}

/** Reads the array of an input's `data`, which can be flat, or nested like its shape. */
function createNumberReader (json: Pick<Json, 'reader'>): (text: Buffer, floats: boolean, shape: readonly number[], path: string, hold: Hold) => StoredTensor {
  const readTensor = json.reader({ known: ['data'], tensors: ['data'] })

  function readFloats (text: Buffer, path: string, hold: Hold): Tensor {
    hold(text.length)
    try {
      const { data }: { readonly data?: unknown } = Object(readTensor(Buffer.concat([OPEN, text, CLOSE]), hold))
      if (data instanceof Tensor) return data
    } catch (error) {
      if (!(error instanceof InputError) || error.kind === 'unavailable') throw error
      const [{ path: at, message }] = error.errors
      throw new InputError(error.kind, { path: at.replace('/data', path) || path, message: message.replace('the body is', 'is') })
    }
    throw malformed(path, 'expected an array of numbers')
  }

  return (text, floats, shape, path, hold) => {
    if (!floats) return { dtype: 'I64', shape, bytes: readIntegers(text, shape, path, hold) }
    const tensor = readFloats(text, path, hold)
    const flat = tensor.rank === 1 && tensor.size === shape.reduce((product, size) => product * size, 1)
    if (tensor.lengths !== undefined || !(flat || (tensor.rank === shape.length && tensor.shape.every((size, axis) => size === shape[axis])))) throw misfit(path, shape)
    return { dtype: 'F32', shape, bytes: encodeFloats(tensor.data) }
  }
}

const OPEN = Buffer.from('{"data":')
const CLOSE = Buffer.from('}')
/** The most bytes of JavaScript values that one byte of a nested array of integers may become. */
const VALUE_BYTES = 32

function readIntegers (text: Buffer, shape: readonly number[], path: string, hold: Hold): Uint8Array {
  if (text.length > MAX_REST) throw malformed(path, `integers take at most ${MAX_REST} bytes of JSON, got ${text.length}: send them as binary_data`)
  hold(VALUE_BYTES * text.length)
  const integers: bigint[] = []
  let value: unknown
  try {
    value = JSON.parse(text.toString('latin1'))
  } catch {
    throw malformed(path, 'is not an array of integers')
  }
  const nested = Array.isArray(value) && Array.isArray(value[0])
  take(value, nested ? shape : [shape.reduce((product, size) => product * size, 1)])
  return new Uint8Array(BigInt64Array.from(integers).buffer)

  function take (part: unknown, [size, ...inner]: readonly number[]): void {
    if (size === undefined) {
      if (typeof part !== 'number' || !Number.isSafeInteger(part)) throw malformed(path, `expected integers, got ${JSON.stringify(part).slice(0, 40)}`)
      integers.push(BigInt(part))
      return
    }
    if (!Array.isArray(part) || part.length !== size) throw misfit(path, shape)
    for (const one of part) take(one, inner)
  }
}

function misfit (path: string, shape: readonly number[]): InputError {
  return malformed(path, `does not fit its shape, [${shape.slice(0, 8).join(', ')}]: expected that many numbers, flat or nested accordingly`)
}

function malformed (path: string, message: string): InputError {
  return new InputError('malformed', { path, message })
}
