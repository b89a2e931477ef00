import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Known } from '../../src/tensor/known.ts'

test('what was added is found under its numbers, beside what has others that lead to the same place', () => {
  const known = new Known<string>()
  assert.deepEqual(known.under(1, 2), [])
  known.add(1, 2, 'one')
  known.add(1, 2, 'another')
  known.add(0, 33, 'of 0 and 33')
  assert.deepEqual(known.under(1, 2), ['one', 'another', 'of 0 and 33'])
  known.add(2 ** 40, 2 ** 52, 'large')
  assert.deepEqual(known.under(2 ** 40, 2 ** 52), ['large'])
})

test('it never holds more than 256', () => {
  const known = new Known<number>()
  for (let i = 0; i < 1000; i++) known.add(i % 3, 0, i)
  const held = [0, 1, 2].flatMap((a) => known.under(a, 0))
  assert.ok(held.length <= 256 && held.includes(999), String(held.length))
})
