import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyOf, zeros } from '../../src/tensor/floats.ts'
import { scaled } from '../support/full.ts'

test('arrays are zeros and their own, whatever is written to others', () => {
  const lengths = Array.from({ length: scaled(3000, 5) }, (_, i) => [0, 1, 3, 64, 127, 1000, 1024, 1025, 5000][i % 9])
  const arrays = lengths.map((length, i) => {
    const array = zeros(length)
    assert.equal(array.length, length)
    assert.ok(array.every((number) => number === 0), `array ${i}`)
    return array.fill(i + 1)
  })
  for (const [i, array] of arrays.entries()) assert.ok(array.every((number) => number === i + 1), `array ${i}`)
})

test('short arrays share memory, a few kilobytes at a time; long ones have their own', () => {
  const short = Array.from({ length: 1000 }, () => zeros(100))
  const shared = new Set(short.map(({ buffer }) => buffer))
  assert.ok(shared.size <= 30, `${shared.size} buffers`)
  for (const { byteLength } of shared) assert.ok(byteLength <= 2 ** 14, `${byteLength} bytes`)
  const long = zeros(10_000)
  assert.equal(long.buffer.byteLength, long.byteLength)
})

test('a copy is independent', () => {
  const numbers = Float32Array.of(1, 2, 3)
  const copy = copyOf(numbers.subarray(1))
  numbers.fill(0)
  assert.deepEqual([...copy], [2, 3])
})
