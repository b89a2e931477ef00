import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Layers } from '../../../src/network/layers.ts'
import { nodeWidth, type Node } from '../../../src/network/network.ts'
import type { Tensor } from '../../../src/tensor/tensor.ts'
import { readModels } from '../../support/models.ts'
import { readCase, TORCH_FIXTURES, torchFixtures, type TorchCase } from '../../support/torch-fixtures.ts'

const TOLERANCE = 2e-6

const models = readModels(TORCH_FIXTURES)

test('every folder is in the index, and the other way round', async () => {
  assert.deepEqual((await models).map(({ name }) => name), torchFixtures.fixtures.map(({ name }) => name).sort())
})

for (const { name, cases } of torchFixtures.fixtures) {
  for (const kind of cases) {
    test(`${name}, as it is read, is the ${kind} of ${torchFixtures.made_with}`, async (t) => {
      const model = (await models).find((each) => each.name === name)
      assert.ok(model !== undefined)
      assert.deepEqual(model.unused(), [])
      const { request, answer } = readCase(name, kind)
      const own = run(model.layers, request)
      let worst = 0
      for (const [field, expected] of Object.entries(answer)) {
        const actual = { output: own.output, h_out: own.h, c_out: own.c }[field] ?? []
        assert.equal(actual.length, expected.data.length, field)
        expected.data.forEach((value, i) => { worst = Math.max(worst, Math.abs(value - actual[i])) })
      }
      t.diagnostic(`largest difference ${worst.toExponential(1)}`)
      assert.ok(worst <= TOLERANCE, `differs by ${worst}`)
    })
  }
}

/** The layers' equations in double precision, row by row; states as in the API, [B, L D H]. */
function run ({ nodes }: Layers, { x, h_in: hIn, c_in: cIn, lengths }: TorchCase['request']): { output: number[], h: number[], c: number[] } {
  const rows = x.shape[0]
  const steps = x.rank === 3 ? x.shape[1] : 1
  const I = x.shape[x.rank - 1]
  const all: { output: number[], h: number[], c: number[] } = { output: [], h: [], c: [] }
  for (let row = 0; row < rows; row++) {
    const taken = { h: rowOf(hIn, row), c: rowOf(cIn, row) }
    const take = (from: number[], width: number): number[] => from.length === 0 ? new Array<number>(width).fill(0) : from.splice(0, width)
    let below = Array.from({ length: lengths?.[row] ?? steps }, (_, t) => [...x.data.subarray((row * steps + t) * I, (row * steps + t + 1) * I)])
    for (const layer of nodes) {
      const wrote = layer.map((node, d) => {
        if (node === undefined) throw new Error('unreachable')
        let h = take(taken.h, nodeWidth(node))
        let c = take(taken.c, node.cell.sizes.Ho)
        const made = (d === 1 ? below.toReversed() : below).map((vector) => {
          const next = step(node, vector, h, c)
          h = next.h
          c = next.c
          return h
        })
        all.h.push(...h)
        all.c.push(...c)
        return d === 1 ? made.reverse() : made
      })
      below = below.map((_, t) => wrote.flatMap((made) => made[t]))
    }
    for (let t = 0; t < steps; t++) all.output.push(...below[t] ?? new Array<number>(below[0].length).fill(0))
  }
  return all
}

/** Nothing if there is none. */
function rowOf (state: Tensor | undefined, row: number): number[] {
  return state === undefined ? [] : [...state.data.subarray(row * state.shape[1], (row + 1) * state.shape[1])]
}

function step ({ cell, projection }: Node, x: number[], hIn: number[], cIn: number[]): { h: number[], c: number[] } {
  const { kind, activation, sizes: { Ho } } = cell
  const times = (weight: Float32Array, vector: number[], row: number): number => vector.reduce((sum, value, k) => sum + weight[row * vector.length + k] * value, 0)
  const input = (gate: number, j: number): number => times(cell.weightIh, x, gate * Ho + j) + cell.biasIh[gate * Ho + j]
  const hidden = (gate: number, j: number): number => times(cell.weightHh, hIn, gate * Ho + j) + cell.biasHh[gate * Ho + j]
  const both = (gate: number, j: number): number => input(gate, j) + hidden(gate, j)
  const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value))
  const c: number[] = []
  const h = Array.from({ length: Ho }, (_, j) => {
    if (kind === 'rnn') return activation === 'relu' ? Math.max(0, both(0, j)) : Math.tanh(both(0, j))
    if (kind === 'gru') {
      const z = sigmoid(both(1, j))
      return (1 - z) * Math.tanh(input(2, j) + sigmoid(both(0, j)) * hidden(2, j)) + z * hIn[j]
    }
    c[j] = sigmoid(both(1, j)) * cIn[j] + sigmoid(both(0, j)) * Math.tanh(both(2, j))
    return sigmoid(both(3, j)) * Math.tanh(c[j])
  })
  return { h: projection === undefined ? h : Array.from({ length: projection.out }, (_, p) => times(projection.weight, h, p)), c }
}
