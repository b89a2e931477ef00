import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Written } from '../../support/safetensors.ts'
import { numbered, range, readTensors } from '../../support/tensors.ts'

/** The tensors of a torch.nn.LSTM, GRU or RNN, each with numbers of its own: node n's begin at 10,000 n. */
function torchRnn (gates: number, I: number, H: number, L: number, D: number, prefix = '', P = 0): Record<string, Written> {
  const tensors: Record<string, Written> = {}
  for (let n = 0; n < L * D; n++) {
    const [k, backward] = [Math.floor(n / D), n % D]
    const tail = `_l${k}${backward === 1 ? '_reverse' : ''}`
    const width = P === 0 ? H : P
    tensors[`${prefix}weight_ih${tail}`] = numbered([gates * H, k === 0 ? I : D * width], 10_000 * n + 1000)
    tensors[`${prefix}weight_hh${tail}`] = numbered([gates * H, width], 10_000 * n + 2000)
    tensors[`${prefix}bias_ih${tail}`] = numbered([gates * H], 10_000 * n + 3000)
    tensors[`${prefix}bias_hh${tail}`] = numbered([gates * H], 10_000 * n + 4000)
    if (P > 0) tensors[`${prefix}weight_hr${tail}`] = numbered([P, H], 10_000 * n + 5000)
  }
  return tensors
}

for (const [kind, gates] of [['lstm', 4], ['gru', 3], ['rnn', 1]] as const) {
  for (const [L, D] of [[1, 1], [3, 1], [1, 2], [2, 2]] as const) {
    test(`${kind} of ${L} layers and ${D} directions`, () => {
      const tensors = torchRnn(gates, 3, 5, L, D, 'encoder.')
      const { layers, used, prefix } = readTensors(tensors)
      assert.equal(layers.kind, kind)
      assert.equal(layers.nodes.length, L)
      for (const [k, layer] of layers.nodes.entries()) {
        assert.equal(layer.length, D)
        for (const [d, node] of layer.entries()) {
          assert.ok(node !== undefined)
          const { cell, projection } = node
          const first = 10_000 * (k * D + d)
          const I = k === 0 ? 3 : D * 5
          assert.equal(projection, undefined)
          assert.deepEqual(cell.sizes, { I, Hi: 5, Ho: 5 })
          assert.deepEqual([...cell.weightIh], range(first + 1000, gates * 5 * I))
          assert.deepEqual([...cell.weightHh], range(first + 2000, gates * 25))
          assert.deepEqual([...cell.biasIh], range(first + 3000, gates * 5))
          assert.deepEqual([...cell.biasHh], range(first + 4000, gates * 5))
        }
      }
      assert.deepEqual(used, new Set(Object.keys(tensors)))
      assert.equal(prefix, 'encoder')
    })
  }
}

for (const D of [1, 2]) {
  test(`proj_size, with ${D} directions`, () => {
    const { layers } = readTensors(torchRnn(4, 3, 5, 2, D, '', 2))
    assert.equal(layers.kind, 'lstm')
    assert.deepEqual(layers.nodes.map((layer) => layer.map((node) => node?.cell.sizes)), [
      new Array(D).fill({ I: 3, Hi: 2, Ho: 5 }),
      new Array(D).fill({ I: 2 * D, Hi: 2, Ho: 5 })
    ])
    for (const [n, node] of layers.nodes.flat().entries()) {
      assert.deepEqual(node?.projection, { in: 5, out: 2, weight: Float32Array.from(range(10_000 * n + 5000, 10)), bias: new Float32Array(2), activation: 'none' })
    }
  })
}

test('a projection whose kernel has the shape of a GRU\'s or an RNN\'s is an LSTM\'s still', () => {
  for (const [H, P] of [[3, 4], [1, 4], [3, 12]]) {
    const { layers } = readTensors(torchRnn(4, 2, H, 1, 1, '', P))
    assert.equal(layers.kind, 'lstm')
    assert.deepEqual(layers.nodes[0][0].cell.sizes, { I: 2, Hi: P, Ho: H })
  }
})

test('without biases they are zeros', () => {
  const tensors = Object.fromEntries(Object.entries(torchRnn(3, 2, 2, 2, 2)).filter(([name]) => name.startsWith('weight')))
  const { layers } = readTensors(tensors)
  for (const node of layers.nodes.flat()) assert.deepEqual([node?.cell.biasIh, node?.cell.biasHh], [new Float32Array(6), new Float32Array(6)])
})

test('without any weight_ih one layer reads no x, in both directions', () => {
  const { layers } = readTensors({ weight_hh_l0: numbered([8, 2]), weight_hh_l0_reverse: numbered([8, 2]) })
  assert.deepEqual(layers.nodes.map((layer) => layer.map((node) => node?.cell.sizes)), [[{ I: 0, Hi: 2, Ho: 2 }, { I: 0, Hi: 2, Ho: 2 }]])
})

test('an RNN has the activation that is said', () => {
  const { layers } = readTensors(torchRnn(1, 2, 3, 2, 2), { activation: 'relu' })
  assert.deepEqual(layers.nodes.flat().map((node) => node?.cell.activation), new Array(4).fill('relu'))
})
