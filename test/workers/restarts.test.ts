import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRestarts } from '../../src/workers/restarts.ts'

test('a worker that ends soon, again and again, is started later and later; one that has served takes its place at once', () => {
  let time = 0
  const restarts = createRestarts(() => time)
  assert.deepEqual(Array.from({ length: 9 }, () => restarts.next()), [0, 1, 2, 4, 8, 16, 30, 30, 30])
  time += 45_000
  assert.equal(restarts.next(), 0)
  time += 1
  assert.equal(restarts.next(), 0)
  assert.equal(restarts.next(), 1)
})
