import { crc32 } from 'node:zlib'
import { decodeFloats, encodeFloats } from '../../../tensor/dtypes.ts'
import { allFinite, Tensor } from '../../../tensor/tensor.ts'

/** Bytes that are not what was packed. */
export class PackedError extends Error {
  override readonly name = 'PackedError'
}

/**
 * Packs a JSON value that can contain tensors into bytes; numbers are little-endian:
 *
 *     0  a CRC-32 of all that follows
 *     4  the length of the head in bytes
 *     8  the head, JSON: the value with null in place of its tensors, and their paths; padded with spaces to a multiple of four
 *     .  the tensors' numbers, float32
 */
export function pack (value: unknown): Buffer {
  const tensors: Placed[] = []
  const rest = takeTensors(value, [], tensors)
  const head = JSON.stringify({ rest, tensors: tensors.map(({ path, tensor: { shape, lengths } }) => ({ path, shape, ...(lengths !== undefined && { lengths: Array.from(lengths) }) })) })
  const length = Math.ceil(Buffer.byteLength(head) / 4) * 4
  const bytes = Buffer.allocUnsafe(HEAD + length + tensors.reduce((sum, { tensor }) => sum + tensor.packed.byteLength, 0))
  bytes.writeUInt32LE(length, 4)
  bytes.fill(' ', HEAD + bytes.write(head, HEAD), HEAD + length)
  let at = HEAD + length
  for (const { tensor: { packed } } of tensors) {
    bytes.set(encodeFloats(packed), at)
    at += packed.byteLength
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0)
  return bytes
}

/** @throws PackedError */
export function unpack (bytes: Buffer): unknown {
  if (bytes.length < HEAD) throw new PackedError(`${bytes.length} bytes are fewer than the ${HEAD} of a head`)
  if (bytes.readUInt32LE(0) !== crc32(bytes.subarray(4))) throw new PackedError('the checksum does not agree with the bytes')
  const end = HEAD + bytes.readUInt32LE(4)
  const { rest, tensors }: { rest: unknown, tensors: readonly Place[] } = JSON.parse(bytes.toString('utf8', HEAD, end))
  // A copy, because the bytes are part of a received buffer and can begin at any offset.
  const numbers = decodeFloats('F32', Uint8Array.from(bytes.subarray(end))) ?? new Float32Array()
  if (!allFinite(numbers, 0, numbers.length)) throw new PackedError('a number is not finite')
  let at = 0
  let whole = rest
  for (const { path, shape, lengths } of tensors) {
    const size = lengths === undefined ? shape.reduce((a, b) => a * b, 1) : lengths.reduce((a, b) => a + b, 0) * shape[2]
    const tensor = new Tensor(shape, numbers.subarray(at, at + size), lengths && new Uint32Array(lengths))
    at += size
    if (path.length === 0) whole = tensor
    else Reflect.set(Object(path.slice(0, -1).reduce<unknown>((outer, name) => Reflect.get(Object(outer), name), whole)), path[path.length - 1], tensor)
  }
  return whole
}

const HEAD = 8

interface Placed {
  readonly path: readonly string[]
  readonly tensor: Tensor
}

interface Place {
  readonly path: readonly string[]
  readonly shape: readonly number[]
  readonly lengths?: readonly number[]
}

function takeTensors (value: unknown, path: readonly string[], tensors: Placed[]): unknown {
  if (value instanceof Tensor) {
    tensors.push({ path, tensor: value })
    return null
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((part: unknown, i) => takeTensors(part, [...path, String(i)], tensors))
  return Object.fromEntries(Object.entries(value).map(([name, part]: [string, unknown]) => [name, takeTensors(part, [...path, name], tensors)]))
}
