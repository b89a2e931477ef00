import { InputError, unprocessable } from '../errors.ts'
import { decodedBytes, decodeFloats, decodeIntegers, encodeFloats } from '../tensor/dtypes.ts'
import { finiteTensor, Tensor } from '../tensor/tensor.ts'
import type { Json } from './json.ts'
import { tensorsOf, type Hold } from './tensor-paths.ts'

/** The content of a binary frame: vectors of one width, or ids. */
export interface BinarySteps {
  /** How many numbers a step reads as its x; 0 if the network reads none. */
  readonly width: number
  /** Whether a step is an id instead. */
  readonly ids: boolean
}

const FLOAT = Float32Array.BYTES_PER_ELEMENT
const READS_NO_X = 'this network reads no x, so a binary frame has nothing to carry: send a text frame that says how many steps to take in steps'

/**
 * Reads the steps of a binary frame: float32, little-endian, `[T][I]`; or int32, `[T]`, for a model that begins with an embedding.
 *
 * @throws InputError if the frame is not one or more whole steps, or has a number that is not finite.
 */
export function readSteps (frame: Uint8Array, { width, ids }: BinarySteps, hold: Hold): { x: Tensor } | { ids: number[] } {
  if (ids) {
    checkLength(frame, FLOAT, '/ids', 'one int32 each')
    // A JavaScript number takes eight bytes.
    hold(2 * frame.byteLength)
    return { ids: decodeIntegers('I32', frame) ?? [] }
  }
  if (width === 0) throw unprocessable('/x', READS_NO_X)
  checkLength(frame, FLOAT * width, '/x', `${width} float32 each`)
  hold(decodedBytes('F32', frame))
  const data = decodeFloats('F32', frame) ?? new Float32Array(0)
  return { x: finiteTensor([data.length / width, width], data, '/x') }
}

function checkLength ({ byteLength }: Uint8Array, each: number, path: string, made: string): void {
  if (byteLength === 0 || byteLength % each !== 0) throw unprocessable(path, `expected a binary frame of one or more steps, ${made}: a multiple of ${each} bytes, got ${byteLength}`)
}

/** The outputs of steps as a binary frame: float32, little-endian; each step's `output`, then its `y`, if the answer has them. */
export function writeSteps (answer: object): Uint8Array {
  const { output, y }: { readonly output?: unknown, readonly y?: unknown } = answer
  const tensors = [output, y].filter((value) => value instanceof Tensor)
  if (tensors.length === 1) return encodeFloats(tensors[0].data)
  const widths = tensors.map(({ shape }) => shape[shape.length - 1])
  const steps = tensors.length === 0 ? 0 : tensors[0].size / widths[0]
  const data = new Float32Array(tensors.reduce((sum, { size }) => sum + size, 0))
  for (let t = 0, at = 0; t < steps; t++) {
    for (const [i, tensor] of tensors.entries()) {
      data.set(tensor.data.subarray(t * widths[i], (t + 1) * widths[i]), at)
      at += widths[i]
    }
  }
  return encodeFloats(data)
}

/** An answer as the text of a frame; in pieces if it has more than `most` numbers. */
export function writeText (json: Json, answer: object, most: number): Iterable<string> {
  const numbers = tensorsOf(answer).reduce((sum, [, { size }]) => sum + size, 0)
  return numbers <= most ? [json.write(answer)] : json.pieces(answer)
}

/** Whether an error concerns a text frame as a whole: it is not a JSON object, so its sender does not speak this protocol. */
export function isUnreadable (error: unknown): boolean {
  return error instanceof InputError && error.kind === 'malformed' && error.errors.every(({ path }) => path === '')
}
