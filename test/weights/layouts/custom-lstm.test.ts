import assert from 'node:assert/strict'
import { test } from 'node:test'
import { numbered, range, readTensors } from '../../support/tensors.ts'

for (const prefix of ['', 'encoder.cell.', '0.', 'cells.3.x.']) {
  test(`two Linear are a cell${prefix && ` under ${prefix}`}`, () => {
    const { layers, used, prefix: found } = readTensors({
      [`${prefix}hidden_linear.bias`]: numbered([12], 400),
      [`${prefix}hidden_linear.weight`]: numbered([12, 6], 300),
      [`${prefix}input_linear.bias`]: numbered([12], 200),
      [`${prefix}input_linear.weight`]: numbered([12, 2], 100)
    })
    assert.equal(layers.kind, 'lstm')
    const [[{ cell, projection }, backward], ...others] = layers.nodes
    assert.deepEqual([others, backward, projection], [[], undefined, undefined])
    assert.deepEqual(cell.sizes, { I: 2, Hi: 6, Ho: 3 })
    assert.deepEqual([...cell.weightIh], range(100, 24))
    assert.deepEqual([...cell.biasIh], range(200, 12))
    assert.deepEqual([...cell.weightHh], range(300, 72))
    assert.deepEqual([...cell.biasHh], range(400, 12))
    assert.equal(used.size, 4)
    assert.equal(found, { '': '', 'encoder.cell.': 'encoder.cell', '0.': '', 'cells.3.x.': 'cells.3.x' }[prefix])
  })
}

test('biases that are not there are zeros', () => {
  const { layers: { nodes: [[{ cell }]] } } = readTensors({ 'input_linear.weight': numbered([4, 1]), 'hidden_linear.weight': numbered([4, 1]), 'hidden_linear.bias': numbered([4], 1) })
  assert.deepEqual([...cell.biasIh], [0, 0, 0, 0])
  assert.deepEqual([...cell.biasHh], [1, 2, 3, 4])
})

test('without input_linear the cell reads no x', () => {
  const { layers: { nodes: [[{ cell }]] } } = readTensors({ 'hidden_linear.weight': numbered([8, 5]), 'hidden_linear.bias': numbered([8], 1) })
  assert.deepEqual(cell.sizes, { I: 0, Hi: 5, Ho: 2 })
  assert.deepEqual([...cell.weightIh], [])
  assert.deepEqual([...cell.biasHh], range(1, 8))
})

test('whatever its shape, it is an LSTM unless the kind is said', () => {
  const tensors = { 'input_linear.weight': numbered([12, 2]), 'hidden_linear.weight': numbered([12, 4]) }
  for (const [kind, Ho] of [[undefined, 3], ['lstm', 3], ['gru', 4], ['rnn', 12]] as const) {
    const { layers } = readTensors(tensors, kind === undefined ? {} : { kind })
    assert.equal(layers.kind, kind ?? 'lstm')
    assert.deepEqual(layers.nodes[0][0].cell.sizes, { I: 2, Hi: 4, Ho })
  }
})
