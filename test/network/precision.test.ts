import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matrixBytes, roundMatrix } from '../../src/network/precision.ts'
import { createRandom, randomFloats } from '../support/random.ts'

test('bfloat16 is the nearest number of eight significant bits, at a tie the even one', () => {
  const { values, scales } = roundMatrix('bf16', Float32Array.of(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -23, -1 - 2 ** -8, 1.9921875, 1.99609375, 2 ** -149, -0), 1)
  assert.deepEqual([...values], [1, 1, 1 + 2 ** -6, 1 + 2 ** -7, -1, 1.9921875, 2, 0, -0])
  assert.equal(scales, undefined)
  const rounded = roundMatrix('bf16', values, 1).values
  assert.deepEqual(rounded, values)
  assert.notEqual(rounded.buffer, values.buffer)
})

test('bfloat16 of a finite number is finite: past the largest there is the largest', () => {
  const largest = 2 ** 128 - 2 ** 120
  const most = 2 ** 128 - 2 ** 104
  const { values } = roundMatrix('bf16', Float32Array.of(largest, largest + 2 ** 118, 2 ** 128 - 2 ** 119, most, -most, -largest), 1)
  assert.deepEqual([...values], [largest, largest, largest, largest, -largest, -largest])
})

test('int8 makes 127 of each row\'s largest magnitude, at a tie the even integer', () => {
  const { values, scales } = roundMatrix('int8', Float32Array.of(127, 0.5, 1.5, 2.5, -0.5, -1.5, 0, 0, 0, 0, 0, 0, -0.25, 0.25, 0.125, 0, 1, -2), 3)
  assert.deepEqual(Array.from(values, (value) => value + 0), [127, 0, 2, 2, 0, -2, 0, 0, 0, 0, 0, 0, -16, 16, 8, 0, 64, -127])
  assert.deepEqual(scales, Float32Array.of(1, 0, 2 / 127))
})

test('a weight moves by 2^-8 of itself at most, or by half a scale', () => {
  const matrix = randomFloats(64 * 33, createRandom(3), 0.3)
  const bf16 = roundMatrix('bf16', matrix, 64).values
  const { values, scales = new Float32Array(0) } = roundMatrix('int8', matrix, 64)
  matrix.forEach((weight, i) => {
    assert.ok(Math.abs(bf16[i] - weight) <= Math.abs(weight) * 2 ** -8, `${bf16[i]} for ${weight}`)
    const scale = scales[Math.floor(i / 33)]
    assert.ok(Number.isInteger(values[i]) && Math.abs(values[i]) <= 127)
    assert.ok(Math.abs(values[i] * scale - weight) <= scale * 0.50001, `${values[i]} times ${scale} for ${weight}`)
  })
})

test('a matrix takes 4, 2 or 1 bytes a number, and of int8 a scale a row', () => {
  assert.deepEqual([matrixBytes('f32', 8, 5), matrixBytes('bf16', 8, 5), matrixBytes('int8', 8, 5)], [160, 80, 40 + 32])
})
