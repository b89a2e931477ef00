import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeFloats } from '../../src/weights/dtypes.ts'

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
  // Patterns of one sign are ordered as their values are.
  for (let i = 1; i <= 0x7c00; i++) assert.ok(values[i] > values[i - 1] && values[0x8000 + i] === -values[i])
  for (let i = 0x7c01; i < 0x8000; i++) assert.ok(Number.isNaN(values[i]))
})

test('BF16 is the upper half of a float32', () => {
  const floats = Float32Array.of(1, -2.5, 3.0e38, 1e-40, -0)
  const upper = Uint16Array.from(new Uint32Array(floats.buffer), (bits) => bits >>> 16)
  const values = decodeFloats('BF16', bytesOf(upper)) ?? assert.fail()
  assert.deepEqual([...values.subarray(0, 2)], [1, -2.5])
  assert.ok(Math.abs(values[2] / 3e38 - 1) < 2 ** -7)
  assert.ok(Object.is(values[4], -0))
})

test('F64 rounds to nearest', () => {
  const values = Float64Array.of(0.1, 1 / 3, 1e39, -1e-46, 1 + 2 ** -25)
  assert.deepEqual(decodeFloats('F64', bytesOf(values)), Float32Array.from(values))
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
