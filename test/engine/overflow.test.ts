import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCell, GATES, type Cell } from '../../src/network/cell.ts'
import { part, type Linear, type Read } from '../../src/network/feed.ts'
import { findSlice } from '../../src/network/state.ts'
import { run } from '../support/drive.ts'
import { everyEngine } from '../support/engines.ts'
import { drawCell, oneStage } from '../support/networks.ts'
import { createRandom } from '../support/random.ts'

// A sum past float32's range has lost what it stood for, though a sigmoid would make a number of it. So every engine makes NaN of
// what is made from it, and the caller gets an error in place of a number that is wrong.

const big = 3e38
const OVERFLOWING = [[big, big], [-big, -big], [NaN, 0]]

for (const [name, engine] of await everyEngine()) {
  for (const [kind, activation] of [['lstm', 'tanh'], ['gru', 'tanh'], ['rnn', 'tanh'], ['rnn', 'relu']] as const) {
    for (let gate = 0; gate < GATES[kind]; gate++) {
      test(`${name}: a ${kind} (${activation}) makes NaN of an overflow in gate ${gate}`, async () => {
        const network = oneStage([gateOf(kind, activation, gate)])
        const step = async (...x: number[]): Promise<number> => {
          const loaded = engine.load(network)
          const state = new Float32Array(loaded.programs[0].state.width)
          const { outputs } = await run(loaded, { rows: 1, steps: 1, state, inputs: [Float32Array.from(x)], repeated: 0, supports: [] })
          loaded.dispose()
          return outputs[0][0]
        }
        for (const x of OVERFLOWING) assert.ok(Number.isNaN(await step(...x)), String(x))
        assert.ok(Number.isFinite(await step(big, 1)))
      })
    }
  }

  for (const activation of ['none', 'tanh', 'relu', 'sigmoid'] as const) {
    test(`${name}: a linear layer (${activation}) makes NaN of an overflow`, async () => {
      for (const [weight, overflows] of [[[big, big], true], [[-big, -big], true], [[big, 1], false]] as const) {
        const projection: Linear = { in: 2, out: 1, weight: Float32Array.from(weight), bias: new Float32Array(1), activation }
        const [stage] = oneStage([copy()]).stages
        const loaded = engine.load({ stages: [{ ...stage, nodes: [{ cell: copy(), projection }] }] })
        const { outputs } = await run(loaded, { rows: 1, steps: 1, state: new Float32Array(1), inputs: [Float32Array.of(1, 1)], repeated: 0, supports: [] })
        loaded.dispose()
        assert.equal(Number.isNaN(outputs[0][0]), overflows, String(weight))
      }
    })
  }

  for (const [score, activation] of [['dot'], ['cosine'], ['additive', 'tanh'], ['additive', 'relu']] as const) {
    test(`${name}: a read by ${score} scores${activation === undefined ? '' : ` (${activation})`} makes NaN of an overflow`, async () => {
      const read: Read = { score, scale: 1, query: part('h'), support: 2, ...score === 'additive' ? { v: Float32Array.of(1, 1), activation } : {} }
      const loaded = engine.load(oneStage([drawCell({ I: 1, Hi: 2, Ho: 2 }, createRandom(1), { kind: 'rnn' })], { read }))
      const reading = async (h: readonly number[], support: readonly number[]): Promise<number[]> => {
        const state = new Float32Array(loaded.programs[0].state.width)
        state.set(h)
        const task = { rows: 1, steps: 1, state, inputs: [Float32Array.of(0)], repeated: 0, supports: [Float32Array.from(support)] }
        const { offset, width } = findSlice(loaded.programs[0].state, 'read') ?? assert.fail('no read')
        return [...(await run(loaded, task, { start: loaded.programs[0].read })).state.subarray(offset, offset + width)]
      }
      assert.ok((await reading([1, 1], [1, 2, 3, 4])).every(Number.isFinite))
      assert.ok((await reading([big, big], [1, 2, big, big])).every(Number.isNaN))
      assert.ok((await reading([-big, -big], [1, 2, -big, -big, 1, 1])).every(Number.isNaN))
      assert.ok((await reading([0, NaN], [1, 2, 3, 4])).every(Number.isNaN))
      loaded.dispose()
    })
  }
}

/** A cell of one unit in which one gate's sum is that of the two numbers of x, and the others' are 0. */
function gateOf (kind: Cell['kind'], activation: 'tanh' | 'relu', gate: number): Cell {
  return createCell({
    kind,
    activation,
    sizes: { I: 2, Hi: 1, Ho: 1 },
    weightIh: Float32Array.from({ length: 2 * GATES[kind] }, (_, i) => Math.floor(i / 2) === gate ? 1 : 0),
    weightHh: new Float32Array(GATES[kind]),
    biasIh: new Float32Array(GATES[kind]),
    biasHh: new Float32Array(GATES[kind])
  })
}

/** A cell whose output is its x, if that is not negative. */
function copy (): Cell {
  return createCell({
    kind: 'rnn',
    activation: 'relu',
    sizes: { I: 2, Hi: 1, Ho: 2 },
    weightIh: Float32Array.of(1, 0, 0, 1),
    weightHh: new Float32Array(2),
    biasIh: new Float32Array(2),
    biasHh: new Float32Array(2)
  })
}
