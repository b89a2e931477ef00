import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkSize, findMisfit, Tensor, type TensorForm } from '../../src/tensor/tensor.ts'

const ragged = new Tensor([2, 3, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), Uint32Array.of(1, 3))

test('ragged rows take no more memory than they have numbers, until they are padded', () => {
  assert.equal(ragged.size, 12)
  assert.equal(ragged.packed.length, 8)
  assert.deepEqual(ragged.data, Float32Array.of(1, 2, 0, 0, 0, 0, 3, 4, 5, 6, 7, 8))
  assert.equal(ragged.data, ragged.data, 'they are padded once')
})

test('the numbers of other tensors are those that came', () => {
  const packed = Float32Array.of(1, 2)
  assert.equal(new Tensor([2, 1], packed).data, packed)
})

const vector = new Tensor([2], new Float32Array(2))
const WRONG: ReadonlyArray<[name: string, value: unknown, form: TensorForm, path: string, message: RegExp, wellFormed: boolean]> = [
  ['null', null, { ranks: [1] }, '', /^expected an array of numbers, got null$/, false],
  ['nested arrays, which nobody has read', [[1]], { ranks: [1, 2] }, '', /^expected an array of numbers or an array of arrays of numbers, got an array$/, false],
  ['another rank', vector, { ranks: [2, 3] }, '', /^expected an array of arrays of numbers or arrays of numbers nested 3 deep, got arrays nested 1 deep$/, false],
  ['ragged rows', ragged, { ranks: [3] }, '/1', /^ragged: has 3 entries, but the first has 1$/, true]
]

for (const [name, value, form, path, message, wellFormed] of WRONG) {
  test(`${name} is told`, () => {
    const misfit = findMisfit(value, form)
    assert.deepEqual([misfit?.path, misfit?.wellFormed], [path, wellFormed])
    assert.match(misfit?.message ?? '', message)
  })
}

test('what fits is let pass', () => {
  assert.equal(findMisfit(vector, { ranks: [1, 2] }), undefined)
  assert.equal(findMisfit(ragged, { ranks: [3], ragged: true }), undefined)
})

test('a shape of too many numbers is refused, without a number allocated', () => {
  checkSize([2 ** 13, 2 ** 13], '/x')
  assert.throws(() => checkSize([2 ** 14, 2 ** 14, 2], '/x'), { kind: 'unprocessable', errors: [{ path: '/x', message: 'its shape, [16384, 16384, 2] for its longest rows, has 536870912 numbers, more than the 67108864 allowed' }] })
})
