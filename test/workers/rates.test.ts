import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRates } from '../../src/workers/rates.ts'

test('each client is counted by itself, anew in each second', () => {
  let time = 5000
  const count = createRates(() => time)
  assert.deepEqual(count('a'), { current: 1, ttl: 1000 })
  time += 400
  assert.deepEqual(count('a'), { current: 2, ttl: 600 })
  assert.deepEqual(count('b'), { current: 1, ttl: 1000 })
  time += 600
  assert.deepEqual(count('a'), { current: 1, ttl: 1000 })
  assert.deepEqual(count('b'), { current: 2, ttl: 400 })
})

test('no more clients are known than there is room for', () => {
  const count = createRates(() => 0)
  count('first')
  for (let i = 0; i < 4999; i++) count(`client ${i}`)
  assert.equal(count('first').current, 2)
  for (let i = 0; i < 5000; i++) count(`other ${i}`)
  assert.equal(count('first').current, 1)
})
