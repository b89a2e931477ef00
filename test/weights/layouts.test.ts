import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findCell, LayoutError } from '../../src/weights/layouts.ts'
import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import { customLstm, f32, writeSafetensors, type Written } from '../support/safetensors.ts'

const cellOf = (tensors: Record<string, Written>) => findCell(parseSafetensors(writeSafetensors(tensors)))
const numbered = (shape: number[]): Written => f32(shape, Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i))

const NAMES: ReadonlyArray<[module: string, names: readonly [string, string, string, string]]> = [
  ['CustomLSTM', ['input_linear.weight', 'hidden_linear.weight', 'input_linear.bias', 'hidden_linear.bias']],
  ['torch.nn.LSTM', ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']],
  ['torch.nn.LSTMCell', ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh']]
]

for (const [module, [weightIh, weightHh, biasIh, biasHh]] of NAMES) {
  for (const prefix of ['', 'encoder.lstm.']) {
    test(`the names of ${module} are understood${prefix && ' under a prefix'}`, () => {
      const cell = cellOf({
        other: numbered([3]),
        [prefix + weightIh]: numbered([12, 2]),
        [prefix + weightHh]: numbered([12, 6]),
        [prefix + biasIh]: numbered([12]),
        [prefix + biasHh]: f32([12], new Array(12).fill(5))
      })
      assert.deepEqual(cell.sizes, { I: 2, Hi: 6, Ho: 3 })
      assert.equal(cell.weightIh[23], 23)
      assert.equal(cell.weightHh[71], 71)
      assert.equal(cell.biasIh[11], 11)
      assert.equal(cell.biasHh[11], 5)
    })
  }
  test(`${module} without biases has zeros`, () => {
    const cell = cellOf({ [weightIh]: numbered([4, 1]), [weightHh]: numbered([4, 1]), [biasHh]: numbered([4]) })
    assert.deepEqual([...cell.biasIh], [0, 0, 0, 0])
    assert.deepEqual([...cell.biasHh], [0, 1, 2, 3])
  })
}

test('a name that only ends alike is another tensor', () => {
  const cell = cellOf({ ...customLstm(1, 1, 1), 'my_input_linear.weight': numbered([8, 3]) })
  assert.deepEqual(cell.sizes, { I: 1, Hi: 1, Ho: 1 })
})

const BITS: ReadonlyArray<[dtype: string, bytes: Uint8Array]> = [
  ['F32', new Uint8Array(Float32Array.of(1, -2.5, 0.5, 2 ** -24).buffer)],
  ['F64', new Uint8Array(Float64Array.of(1, -2.5, 0.5, 2 ** -24).buffer)],
  ['F16', new Uint8Array(Uint16Array.of(0x3c00, 0xc100, 0x3800, 0x0001).buffer)],
  ['BF16', new Uint8Array(Uint16Array.of(0x3f80, 0xc020, 0x3f00, 0x3380).buffer)]
]

for (const [dtype, bytes] of BITS) {
  test(`a cell of ${dtype} is held as float32`, () => {
    const weights = { dtype, shape: [4, 1], bytes }
    const cell = cellOf({ weight_ih: weights, weight_hh: weights, bias_ih: { ...weights, shape: [4] } })
    for (const data of [cell.weightIh, cell.weightHh, cell.biasIh]) assert.deepEqual(data, Float32Array.of(1, -2.5, 0.5, 2 ** -24))
  })
}

const good = customLstm(2, 6, 3)
const WRONG: ReadonlyArray<[name: string, tensors: Record<string, Written>, message: RegExp]> = [
  ['no tensors', {}, /no cell found: expected .*input_linear\.weight.*weight_ih_l0.*found none/],
  ['other tensors', { a: numbered([1]) }, /no cell found: .*found a$/],
  ['two cells', { ...good, 'x.weight_ih': numbered([4, 1]), 'x.weight_hh': numbered([4, 1]) }, /more than one cell found: input_linear\.weight, x\.weight_ih/],
  ['two cells of one module', { 'a.weight_ih': numbered([4, 1]), 'a.weight_hh': numbered([4, 1]), 'b.weight_ih': numbered([4, 1]), 'b.weight_hh': numbered([4, 1]) }, /a\.weight_ih, b\.weight_ih/],
  ['half a cell', { 'a.weight_ih': numbered([4, 1]) }, /tensor a\.weight_hh: is missing; found a\.weight_ih/],
  ['the other half', { 'a.weight_hh': numbered([4, 1]) }, /tensor a\.weight_ih: is missing/],
  ['a second layer', { weight_ih_l0: numbered([4, 1]), weight_hh_l0: numbered([4, 1]), weight_ih_l1: numbered([4, 1]) }, /weight_ih_l1: only one layer/],
  ['a second direction', { weight_ih_l0: numbered([4, 1]), weight_hh_l0: numbered([4, 1]), weight_hh_l0_reverse: numbered([4, 1]) }, /weight_hh_l0_reverse: only one layer, one direction/],
  ['a projected LSTM', { weight_ih_l0: numbered([4, 1]), weight_hh_l0: numbered([4, 1]), weight_hr_l0: numbered([1, 1]) }, /weight_hr_l0: .*no projection/],
  ['a GRU', { weight_ih_l0: numbered([192, 2]), weight_hh_l0: numbered([192, 64]) }, /weight_hh_l0: \[192, 64\] under PyTorch's names is an nn\.GRU, not an LSTM/],
  ['an RNN', { weight_ih: numbered([64, 2]), weight_hh: numbered([64, 64]) }, /weight_hh: \[64, 64\] .* an nn\.RNN/],
  ['rows that are not four gates', { ...good, 'input_linear.weight': numbered([13, 2]) }, /input_linear\.weight: expected shape \[4 Ho, I\], found \[13, 2\]/],
  ['a matrix of no columns', { ...good, 'input_linear.weight': numbered([12, 0]) }, /expected shape \[4 Ho, I\], found \[12, 0\]/],
  ['a matrix of no rows', { ...good, 'input_linear.weight': numbered([0, 2]) }, /expected shape \[4 Ho, I\], found \[0, 2\]/],
  ['hidden weights of no columns', { ...good, 'hidden_linear.weight': numbered([12, 0]) }, /hidden_linear\.weight: expected shape \[12, Hi\] .*found \[12, 0\]/],
  ['a matrix of three axes', { ...good, 'hidden_linear.weight': numbered([12, 3, 2]) }, /hidden_linear\.weight: expected a matrix, found shape \[12, 3, 2\]/],
  ['a second direction of a second layer under a prefix', { 'a.weight_ih_l0': numbered([4, 1]), 'a.weight_hh_l0': numbered([4, 1]), 'a.bias_hh_l12_reverse': numbered([4]) }, /a\.bias_hh_l12_reverse: only one layer/],
  ['an infinite half', { ...good, 'input_linear.bias': { dtype: 'F16', shape: [12], bytes: new Uint8Array(new Uint16Array(12).fill(0xfc00).buffer) } }, /input_linear\.bias: element 0 is -Infinity/],
  ['a matrix of one axis', { ...good, 'input_linear.weight': numbered([12]) }, /input_linear\.weight: expected a matrix, found shape \[12\]/],
  ['matrices that disagree', { ...good, 'hidden_linear.weight': numbered([16, 6]) }, /hidden_linear\.weight: expected shape \[12, Hi\] to match input_linear\.weight, found \[16, 6\]/],
  ['a bias of another size', { ...good, 'hidden_linear.bias': numbered([3]) }, /hidden_linear\.bias: expected shape \[12\], found \[3\]/],
  ['a bias of two axes', { ...good, 'input_linear.bias': numbered([12, 1]) }, /input_linear\.bias: expected shape \[12\], found \[12, 1\]/],
  ['whole numbers', { ...good, 'input_linear.bias': { dtype: 'I8', shape: [12], bytes: new Uint8Array(12) } }, /input_linear\.bias: expected dtype F32, F64, F16, BF16, found I8/],
  ['a NaN', { ...good, 'input_linear.bias': f32([12], [0, 0, NaN, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }, /input_linear\.bias: element 2 is NaN/],
  ['a double that float32 cannot hold', { ...good, 'input_linear.bias': { dtype: 'F64', shape: [12], bytes: new Uint8Array(new Float64Array(12).fill(1e39).buffer) } }, /element 0 is Infinity as a float32/]
]

for (const [name, tensors, message] of WRONG) {
  test(`${name} make no cell`, () => {
    assert.throws(() => cellOf(tensors), (error) => {
      assert.ok(error instanceof LayoutError)
      assert.match(error.message, message)
      return true
    })
  })
}
