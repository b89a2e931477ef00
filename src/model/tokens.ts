import { hash } from 'node:crypto'
import { InputError, unprocessable } from '../errors.ts'
import type { StateLayout } from '../network/state.ts'
import { decodeFloats, encodeFloats } from '../tensor/dtypes.ts'
import { allFinite } from '../tensor/tensor.ts'
import type { KeptRow } from './kept-row.ts'

/** Writes rows of one model as opaque tokens, and reads them. */
export interface Tokens {
  /** How many bytes a token has; as text it is a third longer. */
  readonly bytes: number
  write (row: KeptRow): string
  /**
   * @param path the field that the token came in.
   * @throws InputError if it is not a token, is damaged, or belongs to another model, version or layout.
   */
  read (token: string, path: string): KeptRow
}

/**
 * The layout of a token; numbers are little-endian:
 *
 *     0   the format's own version
 *     1   8 bytes of a SHA-256 of all that follows
 *     9   8 bytes of the model's version
 *     17  4 bytes of a SHA-256 of the state's layout
 *     21  1 if h_in was given before the first step, plus 2 if h_0 was
 *     22  t, 6 bytes
 *     28  the length of the model's name in bytes; then the name, then the state, float32
 */
const HEAD = 29
const FORMAT = 1
/** Leaves headroom for the steps that a request adds. */
const MAX_T = 2 ** 47
/** Longer names are cut: a name is only used in messages. */
const MAX_NAME = 64

export function createTokens (model: string, version: string, layout: StateLayout): Tokens {
  const name = Buffer.from(model).subarray(0, MAX_NAME)
  const own = Buffer.from(version, 'hex').subarray(0, 8)
  const laidOut = digest(Buffer.from(layout.slices.map((slice) => `${slice.name} ${slice.width}`).join(','))).subarray(0, 4)
  const size = HEAD + name.length + layout.width * Float32Array.BYTES_PER_ELEMENT

  return {
    bytes: size,
    write ({ t, given, seen, state }) {
      const token = Buffer.alloc(size)
      token[0] = FORMAT
      own.copy(token, 9)
      laidOut.copy(token, 17)
      token[21] = (given ? 1 : 0) + (seen ? 2 : 0)
      token.writeUIntLE(t, 22, 6)
      token[28] = name.length
      name.copy(token, HEAD)
      const at = HEAD + name.length
      token.set(encodeFloats(state), at)
      digest(token.subarray(9)).copy(token, 1, 0, 8)
      return token.toString('base64url')
    },
    read (text, path) {
      const token = Buffer.from(text, 'base64url')
      // The decoder skips characters that are not in its alphabet.
      if (token.toString('base64url') !== text) throw unprocessable(path, 'is not a state token: it is not base64url')
      if (token.length < HEAD) throw unprocessable(path, `is not a state token: it has ${token.length} bytes, fewer than the ${HEAD} of a head`)
      if (token[0] !== FORMAT) throw unprocessable(path, `is not a state token of format ${FORMAT}: its first byte is ${token[0]}`)
      if (!digest(token.subarray(9)).subarray(0, 8).equals(token.subarray(1, 9))) throw unprocessable(path, 'is damaged: its checksum does not match; send the token as the service returned it')
      const at = HEAD + token[28]
      if (!token.subarray(9, 17).equals(own)) {
        throw new InputError('conflict', {
          path, message: `belongs to ${token.toString('utf8', HEAD, at)}, version ${token.toString('hex', 9, 17)}; this is ${model}, version ${own.toString('hex')}`
        })
      }
      if (!token.subarray(17, 21).equals(laidOut)) throw new InputError('conflict', { path, message: 'comes from another release of the service, which stores this model\'s state differently' })
      const width = (token.length - at) / 4
      const state = width === layout.width ? decodeFloats('F32', token.subarray(at)) : undefined
      if (state === undefined) throw unprocessable(path, `has a state of ${width} numbers, expected ${layout.width}`)
      if (!allFinite(state, 0, width)) throw unprocessable(path, 'has a number in its state that is not finite')
      const t = token.readUIntLE(22, 6)
      if (t > MAX_T) throw unprocessable(path, `says that its row has taken ${t} steps, more than the ${MAX_T} that are counted`)
      return { t, given: token[21] % 2 === 1, seen: token[21] >> 1 === 1, state }
    }
  }
}

function digest (bytes: Buffer): Buffer {
  return hash('sha256', bytes, 'buffer')
}
