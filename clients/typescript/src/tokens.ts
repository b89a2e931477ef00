import { base64urlToBytes, bytesToBase64url } from './base64url.ts'

/**
 * Tokens of rows: everything that each row keeps between two steps, except its context. They are bytes, all of the same length; as
 * text, for JSON and for storage, each is base64url.
 */
export class Tokens {
  /** `[B, N]`. */
  readonly shape: readonly [number, number]
  readonly data: Uint8Array

  constructor (data: Uint8Array, shape: readonly [number, number]) {
    this.data = data
    this.shape = shape
  }

  /** @throws RangeError if a text is not base64url, or the lengths differ. */
  static from (texts: readonly string[]): Tokens {
    const rows = texts.map((text) => {
      try {
        return base64urlToBytes(text)
      } catch {
        throw new RangeError(`not a token: ${JSON.stringify(text.slice(0, 40))}`)
      }
    })
    const [N = 0] = rows.map(({ length }) => length)
    if (rows.some(({ length }) => length !== N)) throw new RangeError('tokens of one request have one length')
    const data = new Uint8Array(rows.length * N)
    rows.forEach((row, b) => data.set(row, b * N))
    return new Tokens(data, [rows.length, N])
  }

  texts (): string[] {
    const [B, N] = this.shape
    return Array.from({ length: B }, (_, b) => bytesToBase64url(this.data.subarray(b * N, (b + 1) * N)))
  }

  /** For `JSON.stringify`. */
  toJSON (): string[] {
    return this.texts()
  }
}
