import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '../../../src/errors.ts'
import { unusedTensors } from '../../../src/weights/layouts/unused.ts'
import type { CellOptions } from '../../../src/weights/layouts/options.ts'
import { f32, store } from '../../support/safetensors.ts'
import { numbered, range, readTensors } from '../../support/tensors.ts'
import { drawCell } from '../../support/networks.ts'
import { createRandom } from '../../support/random.ts'

test('a joint matrix comes apart, whichever of x and h is first, transposed or not, of any dtype', () => {
  const cell = drawCell({ I: 3, Hi: 2, Ho: 2 }, createRandom(1))
  const row = (weights: Float32Array, width: number, r: number): number[] => [...weights.subarray(r * width, (r + 1) * width)]
  for (const of of [['x', 'h'], ['h', 'x']] as const) {
    const joint = range(0, 8).flatMap((r) => of.flatMap((part) => part === 'x' ? row(cell.weightIh, 3, r) : row(cell.weightHh, 2, r)))
    const turned = range(0, 5).flatMap((k) => range(0, 8).map((r) => joint[r * 5 + k]))
    for (const transposed of [false, true]) {
      for (const dtype of ['F32', 'F64'] as const) {
        const weight = transposed ? store(dtype, [5, 8], turned) : store(dtype, [8, 5], joint)
        const { layers, used } = readTensors({ W: weight, b: f32([8], [...cell.biasIh]) }, { kind: 'lstm', transposed, tensors: { weight: 'W', bias: 'b', of: [...of] } })
        const [[{ cell: read }]] = layers.nodes
        assert.deepEqual(read.sizes, cell.sizes)
        assert.deepEqual([read.weightIh, read.weightHh, read.biasIh], [cell.weightIh, cell.weightHh, cell.biasIh])
        assert.deepEqual([...read.biasHh], new Array(8).fill(0))
        assert.deepEqual([...used], ['W', 'b'])
      }
    }
  }
})

test('Hi says where h begins if a cell reads another h than it writes, and with it the kind may be read off', () => {
  const { layers: { kind, nodes: [[{ cell }]] } } = readTensors({ W: numbered([3, 5]) }, { kind: 'gru', tensors: { weight: 'W', Hi: 4 } })
  assert.deepEqual([kind, cell.sizes, [...cell.weightIh], [...cell.weightHh]], ['gru', { I: 1, Hi: 4, Ho: 1 }, [0, 5, 10], [1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14]])
  assert.equal(readTensors({ W: numbered([8, 5]) }, { tensors: { weight: 'W', Hi: 2 } }).layers.kind, 'lstm')
})

test('a joint matrix of h alone reads no x', () => {
  const { layers: { nodes: [[{ cell }]] } } = readTensors({ W: numbered([2, 2]) }, { kind: 'rnn', tensors: { weight: 'W' } })
  assert.deepEqual([cell.sizes, [...cell.weightHh]], [{ I: 0, Hi: 2, Ho: 2 }, [0, 1, 2, 3]])
})

test('one bias is that of x; two in one tensor are those of x and h; leading axes of size 1 are left out', () => {
  const biasesOf = (shape: number[]): number[][] => {
    const tensors = { R: numbered([1, 3, 1]), W: numbered([1, 3, 2]), B: numbered(shape, 1) }
    const { layers: { nodes: [[{ cell }]] } } = readTensors(tensors, { tensors: { weight_ih: 'W', weight_hh: 'R', bias: 'B' } })
    assert.deepEqual(cell.sizes, { I: 2, Hi: 1, Ho: 1 })
    return [[...cell.biasIh], [...cell.biasHh]]
  }
  assert.deepEqual(biasesOf([3]), [[1, 2, 3], [0, 0, 0]])
  for (const shape of [[6], [1, 6], [2, 3]]) assert.deepEqual(biasesOf(shape), [[1, 2, 3], [4, 5, 6]])
})

test('a list of cells is a stack', () => {
  const tensors = { 'r/0': numbered([1, 3]), 'r/1': numbered([1, 2], 10) }
  const { layers, used } = readTensors(tensors, { kind: 'rnn', tensors: [{ weight: 'r/0' }, { weight: 'r/1' }] })
  assert.deepEqual(layers.nodes.map(([{ cell }]) => [cell.sizes.I, [...cell.weightIh], [...cell.weightHh]]), [[2, [0, 1], [2]], [1, [10], [11]]])
  assert.deepEqual([...used], ['r/0', 'r/1'])
})

test('named tensors may lie among any others; with a prefix they are named inside it, and nothing else may be there', () => {
  const tensors = { 'cell.U': numbered([2, 2]), 'cell.peephole': numbered([2]), head: numbered([1]) }
  const free = readTensors(tensors, { kind: 'rnn', tensors: { weight_hh: 'cell.U' } })
  assert.deepEqual(unusedTensors(Object.keys(tensors), free.used, free), ['cell.peephole', 'head'])
  const own = readTensors(tensors, { kind: 'rnn', prefix: 'cell', tensors: { weight_hh: 'U' } })
  assert.deepEqual([...own.used], ['cell.U'])
  assert.throws(() => unusedTensors(Object.keys(tensors), own.used, own), /tensor cell\.peephole: nothing uses it/)
})

test('a part of a tensor is never taken for another tensor of its name', () => {
  const { layers: { nodes } } = readTensors({ W: numbered([1, 2]), 'W[h]': numbered([1, 1], 10), 'W[x]': numbered([1, 1], 20) },
    { kind: 'rnn', tensors: [{ weight: 'W' }, { weight_ih: 'W[x]', weight_hh: 'W[h]' }] })
  assert.deepEqual(nodes.map(([{ cell }]) => [...cell.weightIh, ...cell.weightHh]), [[0, 1], [20, 10]])
})

const FILE = { W: numbered([8, 5]), R: numbered([8, 2]), X: numbered([8, 3]), b: numbered([8]), v: numbered([3]) }
const UNFIT: ReadonlyArray<[name: string, options: CellOptions, message: RegExp]> = [
  ['no matrix at all', { tensors: {} }, /^\/cell\/tensors: expected weight_hh, or one joint weight$/],
  ['no W_hh', { tensors: { weight_ih: 'X' } }, /^\/cell\/tensors: expected weight_hh/],
  ['a name that is not there', { tensors: { weight_hh: 'Q' } }, /^\/cell\/tensors\/weight_hh: no tensor Q; found W, R, X, b, v$/],
  ['one in a list', { kind: 'lstm', tensors: [{ weight_hh: 'R' }, { weight: 'Q' }] }, /^\/cell\/tensors\/1\/weight: no tensor Q; found/],
  ['a name that is not under the prefix', { prefix: 'a', tensors: { weight_hh: 'R' } }, /^\/cell\/tensors\/weight_hh: no tensor a\.R; found/],
  ['joint and apart', { tensors: { weight: 'W', weight_hh: 'R' } }, /^\/cell\/tensors\/weight_hh: cannot be combined with a joint weight, which contains both$/],
  ['an order of what is apart', { tensors: { weight_hh: 'R', of: ['h', 'x'] } }, /^\/cell\/tensors\/of: is for a joint weight$/],
  ['Hi of what is apart', { tensors: { weight_hh: 'R', Hi: 2 } }, /^\/cell\/tensors\/Hi: is for a joint weight$/],
  ['x twice', { tensors: { weight: 'W', of: ['x', 'x'] } }, /^\/cell\/tensors\/of: expected x and h, each once$/],
  ['three biases', { tensors: { weight_hh: 'R', bias: 'b', bias_hh: 'b' } }, /^\/cell\/tensors\/bias_hh: cannot be combined with bias, which stands for both$/],
  ['a joint matrix of no kind', { tensors: { weight: 'W' } }, /^\/cell\/kind: is required, because a joint weight does not determine it$/],
  ['a joint matrix of another kind', { kind: 'gru', tensors: { weight: 'W' } }, /^tensor W: expected shape \[3 Ho, I \+ Hi\] for a GRU, found \[8, 5\]$/],
  ['no room for h', { kind: 'lstm', tensors: { weight: 'W', Hi: 6 } }, /^tensor W: expected shape \[8, I \+ 6\] for x and h, found \[8, 5\]$/],
  ['no room for h, transposed', { kind: 'rnn', transposed: true, tensors: { weight: 'R', Hi: 9 } }, /^tensor R: expected shape \[I \+ 9, 2\] for x and h, found \[8, 2\]$/],
  ['a bias of another length', { tensors: { weight_ih: 'X', weight_hh: 'R', bias: 'v' } }, /^tensor v: expected shape \[8\], found \[3\]$/],
  ['a vector for a matrix', { tensors: { weight_hh: 'b' } }, /^tensor b: expected a matrix, found shape \[8\]$/],
  ['a matrix of x with other rows', { tensors: { weight_ih: 'W', weight_hh: 'R', bias: 'b' }, kind: 'gru' }, /^tensor W: expected shape \[3 Ho, I\]/]
]

for (const [name, options, message] of UNFIT) {
  test(`${name}: refused`, () => {
    assert.throws(() => readTensors(FILE, options), (error) => {
      assert.ok(error instanceof Error)
      assert.match(error.message, message)
      assert.equal(error instanceof InputError, error.message.startsWith('/'))
      return true
    })
  })
}

test('a joint matrix of a dtype that is none of a float is refused by its name', () => {
  for (const [dtype, bits] of [['I32', 32], ['F4', 4]] as const) {
    const W = { dtype, shape: [8, 5], bytes: new Uint8Array(40 * bits / 8) }
    assert.throws(() => readTensors({ W }, { kind: 'lstm', tensors: { weight: 'W' } }), new RegExp(`^LayoutError: tensor W\\[x\\]: expected dtype F32, .*, found ${dtype}$`))
  }
})
