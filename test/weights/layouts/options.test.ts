import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { InputError } from '../../../src/errors.ts'
import { compile } from '../../../src/tensor/schema.ts'
import { CellOptionsSchema, type CellOptions } from '../../../src/weights/layouts/options.ts'
import { f32 } from '../../support/safetensors.ts'
import { numbered, range, readTensors } from '../../support/tensors.ts'

const LSTM = { weight_ih: numbered([8, 1], 10), weight_hh: numbered([8, 2], 20), bias_ih: numbered([8], 40) }
const GRU = { weight_ih: numbered([6, 1], 10), weight_hh: numbered([6, 2], 20), bias_hh: numbered([6], 40) }
const RNN = { weight_ih: numbered([2, 1]), weight_hh: numbered([2, 2]) }

test('gates in another order are put into the order of an LSTM', () => {
  const { layers: { nodes: [[{ cell }]] } } = readTensors(LSTM, { gates: 'oigf' })
  assert.deepEqual([...cell.weightIh], [12, 13, 16, 17, 14, 15, 10, 11])
  assert.deepEqual([...cell.weightHh], [24, 25, 26, 27, 32, 33, 34, 35, 28, 29, 30, 31, 20, 21, 22, 23])
  assert.deepEqual([...cell.biasIh], [42, 43, 46, 47, 44, 45, 40, 41])
})

test('gates in another order are put into the order of a GRU', () => {
  // As Keras has them.
  const { layers: { nodes: [[{ cell }]] } } = readTensors(GRU, { gates: 'zrn' })
  assert.deepEqual([...cell.weightIh], [12, 13, 10, 11, 14, 15])
  assert.deepEqual([...cell.weightHh], [24, 25, 26, 27, 20, 21, 22, 23, 28, 29, 30, 31])
  assert.deepEqual([...cell.biasHh], [42, 43, 40, 41, 44, 45])
})

test('transposed kernels are turned, biases are not', () => {
  const { layers } = readTensors({ weight_ih: numbered([1, 6], 10), weight_hh: numbered([2, 6], 20), bias_hh: numbered([6], 40) }, { transposed: true })
  const [[{ cell }]] = layers.nodes
  assert.equal(layers.kind, 'gru')
  assert.deepEqual(cell.sizes, { I: 1, Hi: 2, Ho: 2 })
  assert.deepEqual([...cell.weightIh], range(10, 6))
  assert.deepEqual([...cell.weightHh], [20, 26, 21, 27, 22, 28, 23, 29, 24, 30, 25, 31])
  assert.deepEqual([...cell.biasHh], range(40, 6))
})

test('a forget bias is added to that gate alone, wherever it is stored, with a bias or without', () => {
  const { layers: { nodes: [[{ cell }]] } } = readTensors(LSTM, { forget_bias: 0.5, gates: 'figo' })
  assert.deepEqual([...cell.biasIh], [42, 43, 40.5, 41.5, 44, 45, 46, 47])
  assert.deepEqual([...cell.biasHh], new Array(8).fill(0))
  const { layers: { nodes: [[bare]] } } = readTensors({ weight_ih: LSTM.weight_ih, weight_hh: LSTM.weight_hh }, { forget_bias: 1 })
  assert.deepEqual([...bare.cell.biasIh], [0, 0, 1, 1, 0, 0, 0, 0])
})

test('options hold for every layer and direction', () => {
  const one = (tail: string, I: number, first: number) => ({
    [`weight_ih_l${tail}`]: numbered([I, 4], first), [`weight_hh_l${tail}`]: numbered([1, 4], first + 50)
  })
  const { layers } = readTensors({ ...one('0', 3, 0), ...one('0_reverse', 3, 100), ...one('1', 2, 200), ...one('1_reverse', 2, 300) }, { transposed: true, gates: 'ogfi', forget_bias: 1 })
  for (const [n, node] of layers.nodes.flat().entries()) {
    assert.deepEqual([...node?.cell.weightHh ?? []], [3, 2, 1, 0].map((gate) => 100 * n + 50 + gate))
    assert.deepEqual([...node?.cell.weightIh.subarray(0, 2) ?? []], [100 * n + 3, 100 * n + 7])
    assert.deepEqual([...node?.cell.biasIh ?? []], [0, 1, 0, 0])
  }
})

test('functions other than sigmoid and tanh hold for every cell; the slope is 0.2 unless said, and has all its digits', () => {
  const functionsOf = (tensors: Parameters<typeof readTensors>[0], options: CellOptions): unknown[] =>
    readTensors(tensors, options).layers.nodes.flat().map((node) => node && [node.cell.activation, node.cell.gate])
  assert.deepEqual(functionsOf(LSTM, {}), [['tanh', 'sigmoid']])
  assert.deepEqual(functionsOf(GRU, { activation: 'relu', recurrent_activation: 'sigmoid' }), [['relu', 'sigmoid']])
  assert.deepEqual(functionsOf(LSTM, { recurrent_activation: 'hard_sigmoid' }), [['tanh', { slope: 0.2 }]])
  const stack = { weight_ih_l0: numbered([8, 1]), weight_hh_l0: numbered([8, 2]), weight_ih_l1: numbered([8, 2]), weight_hh_l1: numbered([8, 2]) }
  for (const slope of [1 / 6, Math.fround(1 / 6), 0.16666667]) {
    assert.deepEqual(functionsOf(stack, { activation: 'relu', recurrent_activation: 'hard_sigmoid', slope }), [['relu', { slope: 1 / 6 }], ['relu', { slope: 1 / 6 }]])
  }
})

test('a prefix picks one network of several', () => {
  const tensors = { ...LSTM, 'a.weight_ih_l0': numbered([2, 3]), 'a.weight_hh_l0': numbered([2, 2]), 'a.b.weight_ih': numbered([6, 1]), 'a.b.weight_hh': numbered([6, 2]) }
  for (const [prefix, kind, count] of [['', 'lstm', 3], ['a', 'rnn', 2], ['a.b', 'gru', 2]] as const) {
    const { layers, used, prefix: found } = readTensors(tensors, { prefix })
    assert.deepEqual([layers.kind, used.size, found], [kind, count, prefix])
  }
})

test('DeepChem\'s SetGather: kernel U [2n, 4n] over [h; r] alone, bias b [4n], gates i, f, o, g', () => {
  const [, json = ''] = /SetGather[^]*?```json\n(.*)\n```/.exec(readFileSync('docs/models.md', 'utf8')) ?? []
  const documented: { cell: CellOptions } = JSON.parse(json)
  const n = 2
  // Element [k, gate, j] of U is 100 k + 10 gate + j, in the order in which SetGather has the gates; b the same without k.
  const gates = { i: 0, f: 1, o: 2, g: 3 }
  const columns = Object.values(gates).flatMap((gate) => range(10 * gate, n))
  const { layers } = readTensors({
    'hidden_linear.weight': f32([2 * n, 4 * n], range(0, 2 * n).flatMap((k) => columns.map((column) => 100 * k + column))),
    'hidden_linear.bias': f32([4 * n], columns)
  }, documented.cell)
  const [[{ cell }]] = layers.nodes
  assert.equal(layers.kind, 'lstm')
  assert.deepEqual(cell.sizes, { I: 0, Hi: 2 * n, Ho: n })
  const rows = [gates.i, gates.f, gates.g, gates.o].flatMap((gate) => range(10 * gate, n))
  assert.deepEqual([...cell.weightHh], rows.flatMap((row) => [row, 100 + row, 200 + row, 300 + row]))
  assert.deepEqual([...cell.biasHh], rows)
  assert.deepEqual([...cell.biasIh], new Array(4 * n).fill(0))
})

const UNFIT: ReadonlyArray<[name: string, tensors: Parameters<typeof readTensors>[0], options: CellOptions, message: RegExp]> = [
  ['no network under the prefix', { ...LSTM, 'b.c.weight_ih': numbered([4, 1]) }, { prefix: 'c' }, /^\/cell\/prefix: no cell found under "c"; found "" \(.*, "b\.c" \(/],
  ['a prefix that is only the beginning of a name', { 'lstm.weight_ih': numbered([4, 1]) }, { prefix: 'ls' }, /^\/cell\/prefix: no cell found under "ls"; found "lstm" /],
  ['a prefix in a file that has no network', { a: numbered([1]) }, { prefix: 'c' }, /^\/cell\/prefix: no cell found under "c"; found a$/],
  ['gates of another kind', LSTM, { gates: 'rzn' }, /^\/cell\/gates: expected the letters ifgo in some order, for an LSTM, found "rzn"$/],
  ['gates twice', LSTM, { gates: 'iffo' }, /ifgo in some order.*"iffo"/],
  ['too few gates', LSTM, { gates: 'ifg' }, /ifgo in some order.*"ifg"/],
  ['no gates', GRU, { gates: '' }, /rzn in some order, for a GRU, found ""/],
  ['an LSTM\'s gates for a GRU', GRU, { gates: 'ifgo' }, /rzn in some order/],
  ['gates of an RNN', RNN, { gates: 'h' }, /^\/cell\/gates: is for an LSTM or a GRU, and this is an RNN$/],
  ['gates of an RNN that has none', RNN, { recurrent_activation: 'sigmoid' }, /^\/cell\/recurrent_activation: is for an LSTM or a GRU, and this is an RNN$/],
  ['a slope without a hard sigmoid', LSTM, { slope: 0.2 }, /^\/cell\/slope: is for "recurrent_activation": "hard_sigmoid"$/],
  ['the slope of a sigmoid', GRU, { recurrent_activation: 'sigmoid', slope: 0.2 }, /^\/cell\/slope: is for "recurrent_activation": "hard_sigmoid"$/],
  ['a slope that nobody has', GRU, { recurrent_activation: 'hard_sigmoid', slope: 0.25 }, /^\/cell\/slope: expected 0\.2, or 1\/6 as 0\.16666667, found 0\.25$/],
  ['a slope that is not quite 1/6', LSTM, { recurrent_activation: 'hard_sigmoid', slope: 0.1667 }, /^\/cell\/slope: .*found 0\.1667$/],
  ['a GRU\'s forget bias', GRU, { forget_bias: 1 }, /^\/cell\/forget_bias: is for an LSTM, and this is a GRU$/],
  ['a forget bias that float32 cannot hold', LSTM, { forget_bias: 1e39 }, /^\/cell\/forget_bias: .*1e\+39 makes a bias that is not finite as a float32/],
  ['a forget bias that overflows', { ...LSTM, bias_ih: f32([8], new Array(8).fill(3e38)) }, { forget_bias: 3e38 }, /^\/cell\/forget_bias: .*not finite/]
]

for (const [name, tensors, options, message] of UNFIT) {
  test(`${name}: refused`, () => {
    assert.throws(() => readTensors(tensors, options), (error) => {
      assert.ok(error instanceof InputError)
      assert.match(error.message, message)
      return true
    })
  })
}

const check = compile(CellOptionsSchema)
const MALFORMED: ReadonlyArray<[options: unknown, message: RegExp]> = [
  [{ kind: 'LSTM' }, /^\/cell\/kind: expected one of lstm, gru, rnn, got the string "LSTM"$/],
  [{ activation: 'sigmoid' }, /^\/cell\/activation: expected one of tanh, relu/],
  [{ gates: ['i', 'f'] }, /^\/cell\/gates: must be string, got an array$/],
  [{ transposed: 'yes' }, /^\/cell\/transposed: must be boolean/],
  [{ forget_bias: null }, /^\/cell\/forget_bias: must be number, got null$/],
  [{ prefix: 3 }, /^\/cell\/prefix: must be string, got 3$/],
  [{ tensors: 'W' }, /^\/cell\/tensors: must be object,array, got the string "W"$/],
  [{ tensors: [] }, /^\/cell\/tensors: must NOT have fewer than 1 items/],
  [{ tensors: { weight_hr: 'W' } }, /^\/cell\/tensors\/weight_hr: is not a known field$/],
  [{ tensors: [{ weight: 'W' }, { weight: 3 }] }, /^\/cell\/tensors\/1\/weight: must be string, got 3$/],
  [{ tensors: { weight: 'W', of: ['x'] } }, /^\/cell\/tensors\/of: must NOT have fewer than 2 items/],
  [{ tensors: { weight: 'W', of: ['x', 'c'] } }, /^\/cell\/tensors\/of\/1: expected one of x, h/],
  [{ tensors: { weight: 'W', Hi: 0 } }, /^\/cell\/tensors\/Hi: must be >= 1/],
  [{ recurrent_activation: 'relu' }, /^\/cell\/recurrent_activation: expected one of sigmoid, hard_sigmoid/],
  [{ slope: '1/6' }, /^\/cell\/slope: must be number/],
  [[], /^\/cell: must be object/],
  ['lstm', /^\/cell: must be object/]
]

for (const [options, message] of MALFORMED) {
  test(`the options ${JSON.stringify(options)} are not of the schema`, () => {
    assert.throws(() => check(options, '/cell'), (error) => {
      assert.ok(error instanceof InputError)
      assert.match(error.message, message)
      return true
    })
  })
}
