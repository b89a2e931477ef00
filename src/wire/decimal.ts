/**
 * Writes the decimal with the fewest digits that reads back as the same float32; of several, the closest, as far as a double can
 * tell. It is laid out as JavaScript lays out a number, except that -0 keeps its sign. `native/json/decimal.cc` writes the same
 * text with the same arithmetic.
 *
 * @param value a finite float32.
 */
export function writeDecimal (value: number): string {
  // For a double that is a short integer, its own text is the shortest.
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return Object.is(value, -0) ? '-0' : String(value)
  const magnitude = Math.abs(value)
  const text = magnitude < SMALLEST_NORMAL ? shortestSubnormal(magnitude) : layOut(...shortest(magnitude))
  return value < 0 ? `-${text}` : text
}

const SMALLEST_NORMAL = 2 ** -126
const LARGEST_POWER = 64
/** 10^-64 to 10^64, each rounded to the nearest double. */
const POWERS = Float64Array.from({ length: 2 * LARGEST_POWER + 1 }, (_, i) => Number(`1e${i - LARGEST_POWER}`))

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

/** @returns the digits, and the power of ten to multiply them by. */
function shortest (v: number): [digits: number, exponent: number] {
  float[0] = v
  const binary = (bits[0] >>> 23) - 127
  // All numbers between the midpoints to its neighbours round to it; below a power of two, the midpoint is at half the distance.
  const half = 2 ** (binary - 24)
  const low = v - ((bits[0] & 0x7fffff) === 0 ? half / 2 : half)
  const high = v + half

  // 10^tens <= v < 2 x 10^(tens + 1), so these are eight or nine digits, which is enough for every float32.
  const tens = (binary * 1233) >> 12
  let digits = fit(v, low, high, tens - 7)
  for (let exponent = tens - 6; ; exponent++) {
    const fewer = fit(v, low, high, exponent)
    if (fewer === 0) return [digits, exponent - 1]
    digits = fewer
  }
}

// The midpoints themselves round to even, which not every reader does. Near them, a reader's double is rounded by 2^-53 of itself,
// as are the power, the product and the product below, so numbers that close to a midpoint are excluded.
const INSIDE = 1 - 2 ** -51
const OUTSIDE = 1 + 2 ** -51

/** The multiple of 10^exponent that is closest to `v` and reads back as it, or 0. */
function fit (v: number, low: number, high: number, exponent: number): number {
  const scale = POWERS[LARGEST_POWER - exponent]
  // Below 2^52 this rounds to the nearest integer, and a half to the even one.
  const digits = v * scale + 2 ** 52 - 2 ** 52
  // An integer can be checked exactly.
  if (exponent > 0 && Math.fround(digits * POWERS[LARGEST_POWER + exponent]) === v) return digits
  const least = low * scale * OUTSIDE
  const most = high * scale * INSIDE
  const nearest = digits < least ? digits + 1 : digits
  const inside = nearest > most ? nearest - 1 : nearest
  return inside < least ? 0 : inside
}

/** Subnormal floats, for which a double has spare bits. */
function shortestSubnormal (v: number): string {
  for (let precision = 1; ; precision++) {
    const decimal = Number(v.toPrecision(precision))
    if (precision === 9 || Math.fround(decimal) === v) return String(decimal)
  }
}

function layOut (value: number, exponent: number): string {
  const digits = String(value)
  const point = digits.length + exponent
  if (point > 21 || point <= -6) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
    return `${digits[0]}${fraction}e${point > 0 ? '+' : '-'}${point > 0 ? point - 1 : 1 - point}`
  }
  if (point <= 0) return `0.${ZEROS[-point]}${digits}`
  if (point >= digits.length) return digits + '0'.repeat(point - digits.length)
  return `${digits.slice(0, point)}.${digits.slice(point)}`
}

const ZEROS = Array.from({ length: 7 }, (_, count) => '0'.repeat(count))
