import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LayoutError } from '../../../src/weights/layouts/floats.ts'
import { unusedTensors } from '../../../src/weights/layouts/unused.ts'
import { numbered, readTensors } from '../../support/tensors.ts'

const lstm = { 'lstm.weight_ih': numbered([4, 1]), 'lstm.weight_hh': numbered([4, 1]) }
const bare = { weight_ih: numbered([4, 1]), weight_hh: numbered([4, 1]) }

test('tensors elsewhere that nothing uses are told', () => {
  const tensors = { ...lstm, 'lstm2.bias': numbered([1]), head: numbered([1]), 'head.weight': numbered([1]) }
  const found = readTensors(tensors)
  assert.deepEqual(unusedTensors(Object.keys(tensors), found.used, found), ['lstm2.bias', 'head', 'head.weight'])
  assert.deepEqual(unusedTensors(Object.keys(tensors), new Set([...found.used, 'head']), found), ['lstm2.bias', 'head.weight'])
})

test('networks beside the one that is picked are told', () => {
  const tensors = { ...lstm, 'gru.weight_ih': numbered([3, 1]), 'gru.weight_hh': numbered([3, 1]) }
  const found = readTensors(tensors, { prefix: 'gru' })
  assert.deepEqual(unusedTensors(Object.keys(tensors), found.used, found), ['lstm.weight_ih', 'lstm.weight_hh'])
})

for (const [name, tensors, message] of [
  ['a peephole', { ...lstm, 'lstm.weight_ci': numbered([1]) }, /^tensor lstm\.weight_ci: nothing uses it, but it lies among the tensors of the cell, under "lstm"; leave it out of the file if the cell does not need it$/],
  ['a layer normalisation', { ...lstm, 'lstm.norm.weight': numbered([4]) }, /^tensor lstm\.norm\.weight: nothing uses it/],
  ['a bias of another layer than there is', { weight_ih_l0: numbered([4, 1]), weight_hh_l0: numbered([4, 1]), bias_hr_l0: numbered([1]) }, /^tensor bias_hr_l0: nothing uses it/],
  ['whatever is beside a cell without a prefix', { ...bare, 'head.weight': numbered([1]) }, /^tensor head\.weight: nothing uses it, but it lies among the tensors of the cell, which have no prefix; /]
] as const) {
  test(`${name} among the tensors of the cell: refused, unless something uses it`, () => {
    const found = readTensors(tensors)
    const names = Object.keys(tensors)
    assert.throws(() => unusedTensors(names, found.used, found), (error) => {
      assert.ok(error instanceof LayoutError)
      assert.match(error.message, message)
      return true
    })
    assert.deepEqual(unusedTensors(names, new Set(names), found), [])
  })
}
