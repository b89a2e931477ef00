import assert from 'node:assert/strict'
import { test } from 'node:test'
import { numbered, range, readTensors } from '../../support/tensors.ts'

for (const prefix of ['', 'rnn.layers.']) {
  test(`a list of LSTMCells is a stack${prefix && ' under a prefix'}`, () => {
    const { layers, used, prefix: found } = readTensors({
      [`${prefix}1.weight_ih`]: numbered([8, 3], 500),
      [`${prefix}1.weight_hh`]: numbered([8, 2], 600),
      [`${prefix}1.bias_ih`]: numbered([8], 700),
      [`${prefix}0.weight_ih`]: numbered([12, 4], 100),
      [`${prefix}0.weight_hh`]: numbered([12, 3], 200),
      [`${prefix}0.bias_ih`]: numbered([12], 300)
    })
    assert.equal(layers.kind, 'lstm')
    assert.deepEqual(layers.nodes.map((layer) => layer.map((node) => node?.cell.sizes)), [[{ I: 4, Hi: 3, Ho: 3 }], [{ I: 3, Hi: 2, Ho: 2 }]])
    const [[first], [second]] = layers.nodes
    assert.deepEqual([...first.cell.weightHh], range(200, 36))
    assert.deepEqual([...second.cell.weightIh], range(500, 24))
    assert.deepEqual([...second.cell.biasIh], range(700, 8))
    assert.equal(used.size, 6)
    assert.equal(found, prefix === '' ? '' : 'rnn.layers')
  })
}

test('layers are in the order of their numbers, not of their names', () => {
  const tensors = Object.fromEntries(Array.from({ length: 12 }, (_, k) => [[`${k}.weight_ih`, numbered([1, 1], k)], [`${k}.weight_hh`, numbered([1, 1], 100 + k)]]).flat())
  const { layers } = readTensors(tensors)
  assert.equal(layers.kind, 'rnn')
  assert.deepEqual(layers.nodes.map(([{ cell }]) => cell.weightIh[0]), range(0, 12))
  assert.deepEqual(layers.nodes.map(([{ cell }]) => cell.weightHh[0]), range(100, 12))
})

test('a list of one is a cell, whose Hi may differ from its Ho', () => {
  const { layers } = readTensors({ 'a.0.weight_ih': numbered([12, 2]), 'a.0.weight_hh': numbered([12, 6]) }, { kind: 'lstm' })
  assert.deepEqual(layers.nodes.map((layer) => layer.map((node) => node?.cell.sizes)), [[{ I: 2, Hi: 6, Ho: 3 }]])
})

test('a list of CustomLSTMs is a stack, too', () => {
  const { layers } = readTensors({
    'a.0.input_linear.weight': numbered([8, 3]),
    'a.0.hidden_linear.weight': numbered([8, 2]),
    'a.1.input_linear.weight': numbered([4, 2]),
    'a.1.hidden_linear.weight': numbered([4, 1])
  })
  assert.deepEqual(layers.nodes.map((layer) => layer.map((node) => node?.cell.sizes)), [[{ I: 3, Hi: 2, Ho: 2 }], [{ I: 2, Hi: 1, Ho: 1 }]])
})

test('a prefix may pick one cell of a list', () => {
  const tensors = {
    'a.1.weight_ih': numbered([8, 3]),
    'a.1.weight_hh': numbered([8, 2]),
    'a.2.weight_ih': numbered([4, 2]),
    'a.2.weight_hh': numbered([4, 1])
  }
  const { layers, used, prefix } = readTensors(tensors, { prefix: 'a.2' })
  assert.deepEqual(layers.nodes.map((layer) => layer.map((node) => node?.cell.sizes)), [[{ I: 2, Hi: 1, Ho: 1 }]])
  assert.deepEqual([...used], ['a.2.weight_ih', 'a.2.weight_hh'])
  assert.equal(prefix, 'a.2')
})
