import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '../../src/errors.ts'
import { GATES } from '../../src/network/cell.ts'
import { nodeWidth } from '../../src/network/network.ts'
import { LayoutError } from '../../src/weights/layouts/floats.ts'
import type { ReadLayers } from '../../src/weights/layouts/layouts.ts'
import type { CellOptions } from '../../src/weights/layouts/options.ts'
import { unusedTensors } from '../../src/weights/layouts/unused.ts'
import { FULL, scaled } from '../support/full.ts'
import { drawLayersFile } from '../support/layers.ts'
import { f32, type Written } from '../support/safetensors.ts'
import { readTensors } from '../support/tensors.ts'
import { createRandom, pick, type Random } from '../support/random.ts'

const FILES = scaled(3000, 6)
const PARTS = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh', 'weight_hr', '_l0', '_l1', '_l2', '_l01', '_l', '_reverse', '.', '..', '0.', '1.', 'input_linear.', 'hidden_linear.', 'weight', 'bias', 'lstm.', '\n', '_l99999999999999999999']

/** What a file may be refused for; each happens. */
const REASONS = [
  /^no cell found: /, /^\/cell\/prefix: no cell found under /, /^more than one network found: /, /is missing: there is a layer/, /is missing: .*both directions$/, /is missing: .* is there/, /expected a matrix/,
  /expected shape .* for an LSTM/, /expected shape .* for a GRU/, /expected shape .* for an RNN/, /which is the shape of/, /times as many rows as columns/, /as wide as/,
  /nothing uses it/, /is NaN as a float32/, /expected dtype/, /^\/cell\/gates: /, /^\/cell\/recurrent_activation: /, /^\/cell\/tensors\/weight_hh: no tensor /, /^tensor .* for x and h, found/, /^\/cell\/forget_bias: /
]

function spoilName (name: string, random: Random): string {
  const at = Math.floor(random() * (name.length + 1))
  if (random() < 0.2) return name.replace(/_reverse$|$/, (tail) => tail === '' ? '_reverse' : '')
  if (random() < 0.4) return name.replace(/\d+/, () => `${Math.floor(random() * 4)}`)
  return name.slice(0, at) + (random() < 0.7 ? pick(random, ...PARTS) : '') + name.slice(at + (random() < 0.5 ? 0 : Math.floor(random() * 9)))
}

function spoilTensor (tensor: Written, random: Random): Written {
  const shape = [...tensor.shape]
  const axis = Math.floor(random() * shape.length)
  const choice = random()
  if (shape.length === 0) shape.push(1)
  else if (choice < 0.4) shape[axis] = pick(random, 0, 1, 2, 3, shape[axis] + 1, shape[axis] * 2, shape[axis] * 3, shape[axis] * 4)
  else if (choice < 0.6) shape.reverse()
  else if (choice < 0.7) shape.push(1)
  else if (choice < 0.8) shape.splice(axis, 1)
  const length = shape.reduce((a, b) => a * b, 1)
  if (choice > 0.95) return { dtype: 'I32', shape, bytes: new Uint8Array(length * 4) }
  return f32(shape, Array.from({ length }, (_, i) => choice > 0.9 && i === length - 1 ? NaN : i / 8))
}

function spoil (tensors: Record<string, Written>, random: Random): Record<string, Written> {
  let entries = Object.entries(tensors)
  for (let edits = 1 + Math.floor(random() * 3); edits > 0; edits--) {
    const at = Math.floor(random() * entries.length)
    const choice = random()
    if (choice < 0.25) entries = entries.filter((_, i) => i !== at || entries.length === 1)
    else if (choice < 0.6) entries = entries.map(([name, tensor], i) => [i === at ? spoilName(name, random) : name, tensor])
    else if (choice < 0.75) entries.push([spoilName(entries[at][0], random), entries[at][1]])
    else entries = entries.map(([name, tensor], i) => [name, i === at ? spoilTensor(tensor, random) : tensor])
  }
  return Object.fromEntries(entries)
}

function spoilOptions (options: CellOptions, random: Random): CellOptions {
  if (random() < 0.7) return options
  return { ...options, ...pick<CellOptions>(random, { kind: 'lstm' }, { kind: 'gru' }, { kind: 'rnn' }, { transposed: true }, { gates: 'ogif' }, { recurrent_activation: 'hard_sigmoid' }, { tensors: { weight_ih: 'weight_ih', weight_hh: 'weight_hh', bias_ih: 'bias_ih' } }, { tensors: { weight: 'weight_ih', Hi: 3 } }, { kind: 'rnn', tensors: { weight: 'weight_ih' } }, { forget_bias: 1 }, { prefix: 'lstm' }, { prefix: '' }) }
}

/** Whatever is read is a network: its widths add up, and it has every number of the tensors that it says it uses, and no other. */
function assertWhole (tensors: Record<string, Written>, { layers, used, prefix }: ReadLayers): void {
  let numbers = 0
  let x: number | undefined
  for (const layer of layers.nodes) {
    assert.equal(layer.length, layers.nodes[0].length)
    let writes = 0
    for (const node of layer) {
      assert.ok(node !== undefined)
      const { cell: { kind, sizes: { I, Hi, Ho }, weightIh, weightHh, biasIh, biasHh }, projection } = node
      assert.equal(kind, layers.kind)
      x ??= I
      assert.equal(I, x)
      if (layers.nodes.length * layer.length > 1 || projection !== undefined) assert.equal(Hi, nodeWidth(node))
      assert.deepEqual([weightIh.length, weightHh.length, biasIh.length, biasHh.length], [I, Hi, 1, 1].map((columns) => GATES[kind] * Ho * columns))
      for (const data of [weightIh, weightHh, biasIh, biasHh, projection?.weight ?? []]) assert.ok(data.every(Number.isFinite))
      numbers += weightIh.length + weightHh.length + (projection?.weight.length ?? 0)
      writes += nodeWidth(node)
    }
    x = writes
  }
  const sizeOf = (name: string): number => tensors[name].shape.reduce((a, b) => a * b, 1)
  assert.equal(numbers, [...used].filter((name) => tensors[name].shape.length === 2).reduce((sum, name) => sum + sizeOf(name), 0))
  const unused = unusedTensors(Object.keys(tensors), used, { prefix })
  assert.deepEqual([...used, ...unused].sort(), Object.keys(tensors).sort())
}

test(`${FILES} spoilt files: each is read whole, or refused in a line that names a tensor, a prefix or an option`, () => {
  const counts = { read: 0, refused: 0 }
  const messages: string[] = []
  for (let seed = 0; seed < FILES; seed++) {
    const random = createRandom(seed)
    const file = drawLayersFile(random)
    const tensors = spoil(file.tensors, random)
    try {
      assertWhole(tensors, readTensors(tensors, spoilOptions(file.options, random)))
      counts.read++
    } catch (error) {
      assert.ok(error instanceof LayoutError || error instanceof InputError, `seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`)
      assert.match(error.message, /^tensor |^no cell found|^more than one network found: |^\/cell\/\w+(\/\w+)*: /)
      assert.doesNotMatch(error.message, /undefined|NaN\]|is not a function|Cannot read|is not iterable/)
      assert.ok(error.message.length < 2000, error.message)
      messages.push(error.message)
      counts.refused++
    }
  }
  assert.ok(counts.read > FILES / 10 && counts.refused > FILES / 1.5, JSON.stringify(counts))
  if (!FULL) return
  const never = REASONS.filter((reason) => !messages.some((message) => reason.test(message)))
  assert.deepEqual(never, [])
})

test('a stack of 2,000 layers is read, and one that lacks a tensor is refused, in no time', () => {
  const tensors = Object.fromEntries(Array.from({ length: 2000 }, (_, k) => [[`weight_ih_l${k}`, f32([4, 1], [1, 2, 3, 4])], [`weight_hh_l${k}`, f32([4, 1], [1, 2, 3, 4])]]).flat())
  const began = performance.now()
  assert.equal(readTensors(tensors).layers.nodes.length, 2000)
  delete tensors.weight_ih_l1999
  assert.throws(() => readTensors(tensors), /^LayoutError: tensor weight_ih_l1999: is missing/)
  assert.ok(performance.now() - began < 5000)
})
