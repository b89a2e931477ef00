import assert from 'node:assert/strict'
import { test } from 'node:test'
import { arrangeBias, arrangeKernel, storageOf } from '../../../src/weights/layouts/kernel.ts'

const stored = Float32Array.of(0, 1, 2, 3, 4, 5)

test('what is stored as it is used is not copied', () => {
  assert.equal(arrangeKernel(stored, 3, storageOf('rzn', 'rzn', false)), stored)
  assert.equal(arrangeBias(stored, storageOf('rzn', 'rzn', true)), stored)
})

test('rows follow their gates', () => {
  assert.deepEqual(storageOf('rzn', 'nrz', false), { gates: [1, 2, 0], transposed: false })
  assert.deepEqual([...arrangeKernel(stored, 3, storageOf('rzn', 'nrz', false))], [2, 3, 4, 5, 0, 1])
  assert.deepEqual([...arrangeBias(stored, storageOf('rzn', 'nrz', false))], [2, 3, 4, 5, 0, 1])
})

test('columns become rows, and follow their gates', () => {
  assert.deepEqual([...arrangeKernel(stored, 3, storageOf('rzn', 'rzn', true))], [0, 3, 1, 4, 2, 5])
  assert.deepEqual([...arrangeKernel(stored, 3, storageOf('rzn', 'nrz', true))], [1, 4, 2, 5, 0, 3])
  assert.deepEqual([...arrangeKernel(stored, 6, storageOf('rzn', 'nrz', true))], [2, 3, 4, 5, 0, 1])
})

test('a kernel of no columns has no numbers', () => {
  assert.deepEqual([...arrangeKernel(new Float32Array(0), 3, storageOf('rzn', 'nrz', true))], [])
})
