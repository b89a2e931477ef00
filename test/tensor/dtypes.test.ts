import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeFloats } from '../../src/tensor/dtypes.ts'

function bytesOf (array: Uint16Array | Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer)
}

test('every F16 decodes to its value', () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i)
  const values = decodeFloats('F16', bytesOf(bits)) ?? assert.fail()
  const known: ReadonlyArray<[number, number]> = [
    [0x0000, 0], [0x8000, -0], [0x0001, 2 ** -24], [0x03ff, 1023 * 2 ** -24], [0x0400, 2 ** -14], [0x3c00, 1], [0xbc01, -(1 + 2 ** -10)],
    [0x7bff, 65504], [0x7c00, Infinity], [0xfc00, -Infinity], [0x7e00, NaN], [0x3555, 0.333251953125]
  ]
  for (const [pattern, value] of known) assert.ok(Object.is(values[pattern], value), pattern.toString(16))
  // The same exponent and fraction, in a float32's positions; below 2^-14 a multiple of 2^-24.
  const float = new DataView(new ArrayBuffer(4))
  for (let i = 0; i < 0x7c00; i++) {
    float.setUint32(0, ((i >> 10) + 127 - 15) << 23 | (i & 0x3ff) << 13)
    assert.equal(values[i], i < 0x400 ? i * 2 ** -24 : float.getFloat32(0))
  }
  // Patterns of one sign have the order of their values.
  for (let i = 1; i <= 0x7c00; i++) assert.ok(values[i] > values[i - 1] && values[0x8000 + i] === -values[i])
  for (let i = 0x7c01; i < 0x8000; i++) assert.ok(Number.isNaN(values[i]))
})

test('BF16 is the upper half of a float32', () => {
  const floats = Float32Array.of(1, -2.5, 3.0e38, 1e-40, -0)
  const upper = Uint16Array.from(new Uint32Array(floats.buffer), (bits) => bits >>> 16)
  const values = decodeFloats('BF16', bytesOf(upper)) ?? assert.fail()
  assert.deepEqual([...values.subarray(0, 2)], [1, -2.5])
  assert.ok(Math.abs(values[2] / 3e38 - 1) < 2 ** -7)
  assert.ok(values[3] > 0 && Math.abs(values[3] / 1e-40 - 1) < 2 ** -3, 'subnormals are kept')
  assert.ok(Object.is(values[4], -0))
  const all = decodeFloats('BF16', bytesOf(Uint16Array.from({ length: 65536 }, (_, i) => i))) ?? assert.fail()
  const float = new DataView(new ArrayBuffer(4))
  all.forEach((value, i) => {
    float.setUint16(0, i)
    assert.ok(Object.is(value, float.getFloat32(0)), i.toString(16))
  })
})

test('F64 rounds to nearest', () => {
  const values = Float64Array.of(0.1, 1 / 3, 1e39, -1e-46, 1 + 2 ** -25)
  assert.deepEqual(decodeFloats('F64', bytesOf(values)), Float32Array.from(values))
  // Halfway between two floats, the even one counts.
  const ties = Float64Array.of(1 + 2 ** -24, 1 + 3 * 2 ** -24, 1 + 2 ** -24 + 2 ** -50, 2 ** -150, 3 * 2 ** -150)
  assert.deepEqual(decodeFloats('F64', bytesOf(ties)), Float32Array.of(1, 1 + 2 ** -22, 1 + 2 ** -23, 0, 2 ** -148))
})

test('F32 is taken as it is, at any alignment', () => {
  const values = Float32Array.of(0.1, -1e-45, 3.4e38)
  const shifted = new Uint8Array(13)
  shifted.set(bytesOf(values), 1)
  assert.deepEqual(decodeFloats('F32', shifted.subarray(1)), values)
})

test('other dtypes are no floats', () => {
  assert.equal(decodeFloats('I32', new Uint8Array(4)), undefined)
  assert.equal(decodeFloats('toString', new Uint8Array(4)), undefined)
})
