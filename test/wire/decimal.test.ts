import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findAddon } from '../../src/engine/addon.ts'
import { writeDecimal } from '../../src/wire/decimal.ts'
import { withoutAddon } from '../support/addon.ts'
import { scaled } from '../support/full.ts'
import { createRandom } from '../support/random.ts'

const KNOWN: ReadonlyArray<[number, string]> = [
  [0, '0'], [-0, '-0'], [1, '1'], [-2.5, '-2.5'], [0.1, '0.1'], [1 / 3, '0.33333334'], [100, '100'], [123456, '123456'],
  [16777216, '16777216'], [16777217, '16777216'], [1e10, '10000000000'], [1e20, '100000000000000000000'], [1e21, '1e+21'],
  [3.4028234663852886e38, '3.4028235e+38'], [1.1754943508222875e-38, '1.1754944e-38'], [1.401298464324817e-45, '1e-45'],
  [1e-6, '0.000001'], [1e-7, '1e-7'], [9.999999747378752e-7, '0.000001'], [1.2345678e-7, '1.2345679e-7'], [8388608.5, '8388608'],
  [33554436, '33554436'], [9007199254740992, '9007199000000000'], [2 ** -126 * 0.75, '8.816208e-39'], [2 ** -10, '0.0009765625']
]

test('a float32 is written as the shortest decimal that reads back, laid out as JavaScript does', () => {
  for (const [value, text] of KNOWN) assert.equal(writeDecimal(Math.fround(value)), text)
})

test('any float32 is read back, and has no digit too many', () => {
  for (const value of samples(scaled(200_000))) {
    const text = writeDecimal(value)
    assert.ok(Object.is(Math.fround(Number(text)), value), `${value} is written ${text}`)
    assert.equal(text, text.startsWith('-0') && value === 0 ? '-0' : String(Number(text)))
    const digits = text.replace(/e.*|[-.]/g, '').replace(/^0+|0+$/g, '').length
    if (digits > 1) assert.notEqual(Math.fround(Number(value.toPrecision(digits - 1))), value, `${text} has a digit too many`)
  }
})

test('the addon writes the same text', { skip: withoutAddon }, () => {
  const addon = findAddon()
  assert.ok(addon !== undefined)
  for (const [value, text] of KNOWN) assert.equal(addon.writeTensor(Float32Array.of(value), 1), `[${text}]`)
  const values = Float32Array.from(samples(scaled(200_000)))
  assert.equal(addon.writeTensor(values, values.length), `[${Array.from(values, writeDecimal).join(',')}]`)
})

/** Floats of all exponents, around powers of two and ten, and from cells. */
function samples (count: number): number[] {
  const random = createRandom(5)
  const bits = new Uint32Array(1)
  const float = new Float32Array(bits.buffer)
  const neighbour = (value: number): number => {
    float[0] = value
    bits[0] += Math.floor(random() * 5) - 2
    return float[0]
  }
  const values = Array.from({ length: count }, (_, i) => {
    switch (i % 4) {
      case 0: return neighbour(2 ** Math.floor(random() * 276 - 149))
      case 1: return neighbour(10 ** Math.floor(random() * 83 - 45))
      case 2: return Math.fround(random() * 2 - 1)
      default:
        bits[0] = Math.floor(random() * 2 ** 32)
        return float[0]
    }
  })
  return values.filter((value) => Number.isFinite(value))
}
