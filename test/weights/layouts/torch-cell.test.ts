import assert from 'node:assert/strict'
import { test } from 'node:test'
import { numbered, range, readTensors } from '../../support/tensors.ts'

for (const prefix of ['', 'decoder.lstm.']) {
  for (const [kind, gates] of [['lstm', 4], ['gru', 3], ['rnn', 1]] as const) {
    test(`weight_hh of ${gates} times as many rows as columns is ${kind}${prefix && ' under a prefix'}`, () => {
      const rows = gates * 5
      const { layers, used } = readTensors({
        [`${prefix}bias_hh`]: numbered([rows], 400),
        [`${prefix}bias_ih`]: numbered([rows], 300),
        [`${prefix}weight_hh`]: numbered([rows, 5], 200),
        [`${prefix}weight_ih`]: numbered([rows, 2], 100)
      })
      const [[{ cell }]] = layers.nodes
      assert.deepEqual([layers.kind, cell.kind, cell.activation], [kind, kind, 'tanh'])
      assert.deepEqual(cell.sizes, { I: 2, Hi: 5, Ho: 5 })
      assert.deepEqual([...cell.weightIh], range(100, rows * 2))
      assert.deepEqual([...cell.weightHh], range(200, rows * 5))
      assert.deepEqual([...cell.biasIh], range(300, rows))
      assert.deepEqual([...cell.biasHh], range(400, rows))
      assert.equal(used.size, 4)
    })
  }
}

test('biases that are not there are zeros', () => {
  const { layers: { nodes: [[{ cell }]] } } = readTensors({ weight_ih: numbered([9, 2]), weight_hh: numbered([9, 3]), bias_ih: numbered([9], 1) })
  assert.deepEqual([...cell.biasIh], range(1, 9))
  assert.deepEqual([...cell.biasHh], new Array(9).fill(0))
})

test('without weight_ih the cell reads no x', () => {
  const { layers } = readTensors({ 'a.weight_hh': numbered([9, 3]) })
  assert.equal(layers.kind, 'gru')
  assert.deepEqual(layers.nodes[0][0].cell.sizes, { I: 0, Hi: 3, Ho: 3 })
})

test('the kind that is said goes before the shape', () => {
  const tensors = { weight_ih: numbered([12, 2]), weight_hh: numbered([12, 4]) }
  for (const [kind, Ho] of [['lstm', 3], ['gru', 4], ['rnn', 12]] as const) {
    const { layers } = readTensors(tensors, { kind })
    assert.equal(layers.kind, kind)
    assert.deepEqual(layers.nodes[0][0].cell.sizes, { I: 2, Hi: 4, Ho })
  }
})
