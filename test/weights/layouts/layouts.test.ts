import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LayoutError } from '../../../src/weights/layouts/floats.ts'
import type { CellOptions } from '../../../src/weights/layouts/options.ts'
import { FULL, scaled } from '../../support/full.ts'
import { drawLayersFile } from '../../support/layers.ts'
import { createRandom } from '../../support/random.ts'
import { customLstm, type Written } from '../../support/safetensors.ts'
import { numbered as ofShape, readTensors } from '../../support/tensors.ts'

const NETWORKS = scaled(2000, 10)

const numbered = (...shape: number[]): Written => ofShape(shape)

test(`${NETWORKS} random networks are read as they were written, in whatever names, order, storage and dtype`, () => {
  const kinds = new Map<string, number>()
  for (let seed = 0; seed < NETWORKS; seed++) {
    const random = createRandom(seed)
    const { layers, tensors, options } = drawLayersFile(random)
    const shuffled = Object.entries(tensors).map((entry) => ({ entry, at: random() })).sort((a, b) => a.at - b.at).map(({ entry }) => entry)
    const found = readTensors({ 'other.weight': numbered(2), ...Object.fromEntries(shuffled) }, options)
    assert.deepEqual(found.layers, layers, `seed ${seed}`)
    assert.deepEqual([...found.used].sort(), Object.keys(tensors).sort(), `seed ${seed}`)
    const name = `${layers.kind} ${layers.nodes.length > 1 ? 'stack' : 'layer'} ${layers.nodes[0].length}`
    kinds.set(name, (kinds.get(name) ?? 0) + 1)
  }
  assert.equal(kinds.size, 12)
  assert.ok(Math.min(...kinds.values()) > (FULL ? 20 : 0), JSON.stringify([...kinds]))
})

test('a name that only ends alike is another tensor', () => {
  const { layers, used } = readTensors({ ...customLstm(1, 1, 1), 'my_input_linear.weight': numbered(8, 3), 'x.weight_ih_l01': numbered(4, 1), '.hidden_linear.weight': numbered(4, 1), bias_ih_l0: numbered(4) })
  assert.deepEqual(layers.nodes[0][0].cell.sizes, { I: 1, Hi: 1, Ho: 1 })
  assert.equal(used.size, 4)
})

const custom = customLstm(2, 6, 3)
const cell = (prefix: string, rows = 4, Hi = 1, I = 1): Record<string, Written> => ({ [`${prefix}weight_ih`]: numbered(rows, I), [`${prefix}weight_hh`]: numbered(rows, Hi) })
const layer = (tail: string, rows: number, Hi: number, I: number): Record<string, Written> => ({ [`weight_ih_l${tail}`]: numbered(rows, I), [`weight_hh_l${tail}`]: numbered(rows, Hi) })
const without = (tensors: Record<string, Written>, ...names: string[]): Record<string, Written> => Object.fromEntries(Object.entries(tensors).filter(([name]) => !names.includes(name)))
const biased = { ...layer('0', 8, 2, 3), bias_hh_l0: numbered(8), ...layer('1', 8, 2, 2), bias_hh_l1: numbered(8) }
const both = { ...layer('0', 8, 2, 3), ...layer('0_reverse', 8, 2, 3), ...layer('1', 8, 2, 4), ...layer('1_reverse', 8, 2, 4) }
const projected = { ...layer('0', 12, 2, 5), weight_hr_l0: numbered(2, 3), ...layer('1', 12, 2, 2), weight_hr_l1: numbered(2, 3) }

const WRONG: ReadonlyArray<[name: string, tensors: Record<string, Written>, message: RegExp, options?: CellOptions]> = [
  ['no tensors', {}, /^no cell found: expected .*input_linear\.weight.*weight_ih_l0.*weight_ih and weight_hh.*found none$/],
  ['other tensors', { a: numbered(1) }, /^no cell found: .*found a; if the cell has other names, list them under "cell" in config\.json/],
  ['a bias alone', { bias_ih: numbered(4) }, /^no cell found/],

  ['two networks', { ...custom, ...cell('x.') }, /^more than one network found: "" \(CustomLSTM\), "x" \(torch\.nn\.LSTMCell, GRUCell or RNNCell\); "cell": \{"prefix": \.\.\.\} in config\.json picks one$/],
  ['two networks of one family', { ...cell('a.'), ...cell('b.c.') }, /^more than one network found: "a" .*, "b\.c" /],
  ['a network of layers, and a list', { ...layer('0', 4, 1, 1), ...cell('cells.0.') }, /^more than one network found: "" \(torch\.nn\.LSTM, GRU or RNN\), "cells" \(a list of torch/],
  ['half of another network', { ...custom, 'x.weight_hh_l0': numbered(4, 1) }, /^more than one network found: "" .*, "x" /],

  ['half a cell', { 'a.weight_ih': numbered(4, 1) }, /^tensor a\.weight_hh: is missing: a\.weight_ih is there$/],
  ['a layer missing', without({ ...biased, ...layer('2', 8, 2, 2), bias_hh_l2: numbered(8) }, 'weight_ih_l1', 'weight_hh_l1', 'bias_hh_l1'), /^tensor weight_ih_l1: is missing: there is a layer 2, so there must be a layer 1$/],
  ['the first layer missing', layer('1', 8, 2, 2), /^tensor weight_ih_l0: is missing: there is a layer 1, so there must be a layer 0$/],
  ['a layer so high that nobody can count to it', { ...layer('0', 8, 2, 2), ...layer('999999999999999999999', 8, 2, 2) }, /^tensor weight_ih_l1: is missing: there is a layer 1e\+21/],
  ['a cell of a list missing', { ...cell('a.0.'), ...cell('a.2.') }, /^tensor a\.1\.weight_ih: is missing: there is a layer 2/],
  ['a direction missing in one layer', without(both, 'weight_ih_l1_reverse', 'weight_hh_l1_reverse'), /^tensor weight_ih_l1_reverse: is missing: weight_ih_l0_reverse is there, so every layer must have both directions$/],
  ['the forward direction missing', without(both, 'weight_ih_l0', 'weight_hh_l0'), /^tensor weight_ih_l0: is missing: weight_ih_l0_reverse is there, so every layer must have both directions$/],
  ['a kernel missing in one direction', without(both, 'weight_hh_l0_reverse'), /^tensor weight_hh_l0_reverse: is missing: weight_ih_l0_reverse is there, and so is weight_hh_l0, of another layer or direction$/],
  ['W_ih missing in one direction alone', without({ ...layer('0', 8, 2, 3), ...layer('0_reverse', 8, 2, 3) }, 'weight_ih_l0_reverse'), /^tensor weight_ih_l0_reverse: is missing: weight_hh_l0_reverse is there, and so is weight_ih_l0, of another layer or direction$/],
  ['a stack without any W_ih', { weight_hh_l0: numbered(8, 2), weight_hh_l1: numbered(8, 2) }, /^tensor weight_ih_l0: is missing: weight_hh_l0 is there$/],
  ['a bias missing in one layer', without(biased, 'bias_hh_l1'), /^tensor bias_hh_l1: is missing: weight_ih_l1 is there, and so is bias_hh_l0, of another layer or direction$/],
  ['a bias of a later layer alone', without(biased, 'bias_hh_l0'), /^tensor bias_hh_l0: is missing: weight_ih_l0 is there, and so is bias_hh_l1, of another layer or direction$/],
  ['a second direction of a later layer alone', without(both, 'weight_ih_l0_reverse', 'weight_hh_l0_reverse'), /^tensor weight_ih_l0_reverse: is missing: weight_ih_l1_reverse is there, so every layer must have both directions$/],
  ['a projection missing in one layer', without(projected, 'weight_hr_l1'), /^tensor weight_hr_l1: is missing: weight_ih_l1 is there, and so is weight_hr_l0, of another layer or direction$/],

  ['rows that are not four gates', { ...custom, 'input_linear.weight': numbered(13, 2) }, /^tensor input_linear\.weight: expected shape \[4 Ho, I\] for an LSTM, found \[13, 2\]$/],
  ['a matrix of no columns', { ...custom, 'input_linear.weight': numbered(12, 0) }, /expected shape \[4 Ho, I\].*, found \[12, 0\]/],
  ['a matrix of no rows', { ...custom, 'input_linear.weight': numbered(0, 2) }, /expected shape \[4 Ho, I\].*, found \[0, 2\]/],
  ['hidden weights of no columns', { ...custom, 'hidden_linear.weight': numbered(12, 0) }, /hidden_linear\.weight: expected shape \[12, Hi\] .*found \[12, 0\]/],
  ['hidden weights alone that are not four gates', { 'hidden_linear.weight': numbered(13, 4) }, /hidden_linear\.weight: expected shape \[4 Ho, Hi\] for an LSTM, found \[13, 4\]/],
  ['hidden weights alone of no size', { weight_hh: numbered(0, 0) }, /weight_hh: expected shape \[4 Ho, Hi\] for an LSTM, found \[0, 0\]/],
  ['a matrix of three axes', { ...custom, 'hidden_linear.weight': numbered(12, 3, 2) }, /hidden_linear\.weight: expected a matrix, found shape \[12, 3, 2\]/],
  ['a matrix of one axis', { ...custom, 'input_linear.weight': numbered(12) }, /input_linear\.weight: expected a matrix, found shape \[12\]/],
  ['a recurrent kernel of one axis, by which the kind is told', { weight_ih: numbered(12, 3), weight_hh: numbered(12) }, /weight_hh: expected a matrix, found shape \[12\]/],
  ['matrices that disagree', { ...custom, 'hidden_linear.weight': numbered(16, 6) }, /hidden_linear\.weight: expected shape \[12, Hi\] for an LSTM, to match input_linear\.weight, found \[16, 6\]/],
  ['a bias of another size', { ...custom, 'hidden_linear.bias': numbered(3) }, /hidden_linear\.bias: expected shape \[12\], found \[3\]/],
  ['a bias of two axes', { ...custom, 'input_linear.bias': numbered(12, 1) }, /input_linear\.bias: expected shape \[12\], found \[12, 1\]/],

  ['rows that tell no kind under the names of torch', cell('a.', 12, 6, 2), /^tensor a\.weight_hh: expected 4, 3 or 1 times as many rows as columns, for an LSTM, a GRU or an RNN, found \[12, 6\]; if its Hi differs from its Ho, "cell": \{"kind": \.\.\.\} in config\.json says which it is$/],
  ['a GRU\'s rows under the shape of an LSTM', { ...layer('0', 256, 64, 2), weight_ih_l0: numbered(192, 2) }, /^tensor weight_hh_l0: expected shape \[192, Hi\] for an LSTM, to match weight_ih_l0, found \[256, 64\]$/],
  ['a GRU\'s layer in an LSTM', { ...layer('0', 256, 64, 2), ...layer('1', 192, 64, 64) }, /^tensor weight_hh_l1: expected shape \[192, 48\] for an LSTM, to match weight_ih_l1, found \[192, 64\], which is the shape of a GRU$/],
  ['an RNN\'s layer in a GRU', { ...layer('0', 9, 3, 2), ...layer('1', 3, 3, 3) }, /^tensor weight_hh_l1: expected shape \[3, 1\] for a GRU, to match weight_ih_l1, found \[3, 3\], which is the shape of an RNN$/],
  ['a layer that reads another width than the one before writes', { ...layer('0', 12, 3, 2), ...layer('1', 16, 4, 5) }, /^tensor weight_ih_l1: expected shape \[16, 3\], as wide as what layer 0 writes, found \[16, 5\]$/],
  ['a layer that reads one direction of two', { ...both, ...layer('1', 8, 2, 2) }, /^tensor weight_ih_l1: expected shape \[8, 4\], as wide as what layer 0 writes, found \[8, 2\]$/],
  ['directions that read different widths', { ...both, weight_ih_l0_reverse: numbered(8, 4) }, /^tensor weight_ih_l0_reverse: expected shape \[8, 3\], as wide as weight_ih_l0, found \[8, 4\]$/],
  ['a stack of cells whose Hi is not their Ho', { ...cell('a.0.', 12, 6, 2), ...cell('a.1.', 12, 6, 3) }, /^tensor a\.0\.weight_hh: expected shape \[12, 3\] for an LSTM, to match a\.0\.weight_ih, found \[12, 6\]$/, { kind: 'lstm' }],
  ['a projection from another width', { ...projected, weight_hr_l0: numbered(2, 4) }, /^tensor weight_hr_l0: expected shape \[P, 3\], to match weight_ih_l0, found \[2, 4\]$/],
  ['a projection to nothing', { ...layer('0', 12, 0, 5), weight_hr_l0: numbered(0, 3) }, /^tensor weight_hr_l0: expected shape \[P, 3\], to match weight_ih_l0, found \[0, 3\]$/],
  ['a cell that does not read its projection', { ...projected, weight_hh_l0: numbered(12, 3) }, /^tensor weight_hh_l0: expected shape \[12, 2\] for an LSTM, to match weight_ih_l0, found \[12, 3\]$/],
  ['a layer that does not read the projection before it', { ...projected, weight_ih_l1: numbered(12, 3) }, /^tensor weight_ih_l1: expected shape \[12, 2\], as wide as what layer 0 writes, found \[12, 3\]$/],
  ['a GRU with a projection', projected, /^tensor weight_hr_l0: only an LSTM has projections, and this is a GRU$/, { kind: 'gru' }],
  ['kernels of the other orientation, as they are stored', { weight_ih: numbered(3, 8), weight_hh: numbered(2, 12) }, /^tensor weight_hh: expected shape \[Hi, 8\] for an LSTM, to match weight_ih, found \[2, 12\]$/, { kind: 'lstm', transposed: true }]
]

for (const [name, tensors, message, options] of WRONG) {
  test(`${name}: refused`, () => {
    assert.throws(() => readTensors(tensors, options), (error) => {
      assert.ok(error instanceof LayoutError)
      assert.match(error.message, message)
      return true
    })
  })
}
