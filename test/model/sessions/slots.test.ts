import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSlots } from '../../../src/model/sessions/slots.ts'

test('a slot is a copy, and nobody else\'s until it is put back', () => {
  const { keep, put } = createSlots()
  const given = Float32Array.of(1, 2, 3)
  const kept = Array.from({ length: 20_000 }, (_, i) => keep(given.map((number) => number + i)))
  given.fill(0)
  for (const [i, slot] of kept.entries()) assert.deepEqual([...slot], [1 + i, 2 + i, 3 + i])
  put(kept[7])
  const another = keep(Float32Array.of(-1, -2, -3))
  assert.equal(another, kept[7])
  assert.deepEqual([...kept[6], ...kept[8]], [7, 8, 9, 9, 10, 11])
})

test('many of them share memory, and it goes with the last', () => {
  const { keep, put } = createSlots()
  const slots = Array.from({ length: 1000 }, () => keep(new Float32Array(128)))
  const before = new Set(slots.map(({ buffer }) => buffer))
  assert.equal(before.size, Math.ceil(1000 / 512))
  for (const slot of slots) put(slot)
  assert.ok(!before.has(keep(new Float32Array(128)).buffer))
})

test('vectors of any width', () => {
  const { keep, put } = createSlots()
  for (const width of [0, 1, 40_000]) {
    const vector = new Float32Array(width).fill(5)
    assert.deepEqual(keep(vector), vector)
    put(keep(vector))
  }
})
