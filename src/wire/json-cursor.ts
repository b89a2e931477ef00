import { InputError } from '../errors.ts'

/** How deep a document may be nested. */
const MAX_DEPTH = 64
/** No field has a name with more bytes. */
const MAX_NAME = 1024

/** ASCII. */
const [COLON] = Buffer.from(':')
export const [QUOTE, COMMA, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('",[]{}')
const [MINUS, PLUS, POINT, ZERO, BACKSLASH, SMALL_E, SMALL_U] = Buffer.from('-+.0\\eu')
const ESCAPES = new Set(Buffer.from('"\\/bfnrt'))
const HEX = new Set(Buffer.from('0123456789abcdefABCDEF'))
const LITERALS = ['true', 'false', 'null'].map((literal) => Buffer.from(literal))

/** The powers of ten that a double holds exactly. */
const TENS = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))

/**
 * A position in a JSON text (RFC 8259). Everything that the cursor has passed is JSON; it builds no values. Its methods throw an
 * InputError at the first wrong byte.
 */
export class JsonCursor {
  readonly bytes: Buffer
  at = 0

  constructor (bytes: Buffer) {
    this.bytes = bytes
    // A byte order mark.
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.at = 3
  }

  skipSpace (): void {
    const { bytes } = this
    while (isSpace(bytes[this.at])) this.at++
  }

  /** Skips space, and this byte if it is next. */
  take (byte: number): boolean {
    if (this.bytes[this.at] !== byte) {
      this.skipSpace()
      if (this.bytes[this.at] !== byte) return false
    }
    this.at++
    return true
  }

  /**
   * Skips space and a value.
   *
   * @param depth how many arrays and objects are open around it.
   * @returns false as soon as the value extends beyond `end`.
   */
  skipValue (depth: number, end: number): boolean {
    this.skipSpace()
    const byte = this.bytes[this.at]
    if (byte === QUOTE) this.skipString()
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) return this.#skipNest(byte === OPEN_OBJECT, depth + 1, end)
    else if (this.isAtNumber) this.readNumber()
    else this.#skipLiteral()
    return this.at <= end
  }

  #skipNest (named: boolean, depth: number, end: number): boolean {
    if (depth > MAX_DEPTH) throw new InputError('malformed', { path: '', message: `the body is nested more than ${MAX_DEPTH} deep` })
    const close = named ? CLOSE_OBJECT : CLOSE_ARRAY
    this.at++
    if (this.take(close)) return this.at <= end
    do {
      if (named) this.skipName()
      if (!this.skipValue(depth, end)) return false
    } while (this.take(COMMA))
    if (!this.take(close)) this.fail(`"," or "${String.fromCharCode(close)}"`)
    return this.at <= end
  }

  /** Skips the name of an object's member, its colon and the space around them. */
  skipName (): void {
    this.skipSpace()
    if (this.bytes[this.at] !== QUOTE) this.fail('a name in double quotes')
    this.skipString()
    if (!this.take(COLON)) this.fail('":"')
    this.skipSpace()
  }

  /** Reads such a name; only its beginning if it is too long for a field. */
  readName (): string {
    this.skipSpace()
    const { bytes, at: begin } = this
    this.skipName()
    // The last quote before the colon.
    const end = bytes.lastIndexOf(QUOTE, this.at - 1) + 1
    return end - begin > MAX_NAME ? bytes.toString('utf8', begin + 1, begin + MAX_NAME) : JSON.parse(bytes.toString('utf8', begin, end))
  }

  skipString (): void {
    const { bytes } = this
    for (this.at++; bytes[this.at] !== QUOTE; this.at++) {
      if (bytes[this.at] === BACKSLASH) this.#skipEscape()
      else if (!(bytes[this.at] >= 0x20)) this.fail('a character of a string')
    }
    this.at++
  }

  /** Moves to the last byte of the escape. */
  #skipEscape (): void {
    const { bytes } = this
    this.at++
    if (bytes[this.at] === SMALL_U) {
      for (let digits = 0; digits < 4; digits++) {
        this.at++
        if (!HEX.has(bytes[this.at])) this.fail('a hexadecimal digit')
      }
    } else if (!ESCAPES.has(bytes[this.at])) {
      this.fail('one of "\\/bfnrtu')
    }
  }

  /** How many arrays begin here, one inside the other, up to `most`. */
  countBrackets (most: number): number {
    const { bytes, at } = this
    let count = 0
    for (let i = at; count < most && (bytes[i] === OPEN_ARRAY || isSpace(bytes[i])); i++) count += Number(bytes[i] === OPEN_ARRAY)
    return count
  }

  get isAtNumber (): boolean {
    const byte = this.bytes[this.at]
    return byte === MINUS || isDigit(byte)
  }

  /** Reads a number to the nearest double. */
  readNumber (): number {
    const { bytes } = this
    const begin = this.at
    const negative = bytes[begin] === MINUS
    if (negative) this.at++

    const first = this.at
    let mantissa = this.#readDigits(0)
    let digits = this.at - first
    if (digits === 0) this.fail('a digit')
    if (bytes[first] === ZERO && digits > 1) {
      this.at = first + 1
      this.fail('no digit after a leading 0')
    }
    let exponent = 0
    if (bytes[this.at] === POINT) {
      this.at++
      const fraction = this.at
      mantissa = this.#readDigits(mantissa)
      exponent = fraction - this.at
      digits -= exponent
      if (exponent === 0) this.fail('a digit')
    }
    if ((bytes[this.at] | 0x20) === SMALL_E) {
      this.at++
      const down = bytes[this.at] === MINUS
      if (down || bytes[this.at] === PLUS) this.at++
      const start = this.at
      const given = this.#readDigits(0)
      if (this.at === start) this.fail('a digit')
      exponent += down ? -given : given
    }

    // Both operands are exact, so there is one rounding.
    if (digits > 15 || exponent < -22 || exponent > 22) return Number(bytes.toString('latin1', begin, this.at))
    const value = exponent < 0 ? mantissa / TENS[-exponent] : mantissa * TENS[exponent]
    return negative ? -value : value
  }

  /** Appends digits to a number, which stays exact up to 15 of them. */
  #readDigits (number: number): number {
    const { bytes } = this
    for (; isDigit(bytes[this.at]); this.at++) number = number * 10 + (bytes[this.at] - ZERO)
    return number
  }

  #skipLiteral (): void {
    const { bytes, at } = this
    const literal = LITERALS.find((text) => text.equals(bytes.subarray(at, at + text.length)))
    if (literal === undefined) this.fail('a value')
    this.at += literal.length
  }

  /** @throws InputError that says what was expected here. */
  fail (expected: string): never {
    throw new InputError('malformed', { path: '', message: `the body is not JSON: expected ${expected} at byte ${this.at}, got ${this.#describeNext()}` })
  }

  #describeNext (): string {
    if (this.at >= this.bytes.length) return 'its end'
    const byte = this.bytes[this.at]
    return byte >= 0x20 && byte < 0x7f ? JSON.stringify(String.fromCharCode(byte)) : `the byte 0x${byte.toString(16).padStart(2, '0')}`
  }
}

function isSpace (byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function isDigit (byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
