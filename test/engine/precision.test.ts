import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createNativeEngine, nativeKernels } from '../../src/engine/native.ts'
import { createCell, GATES, type Cell, type CellKind } from '../../src/network/cell.ts'
import { bareCell, type Network } from '../../src/network/network.ts'
import type { Precision } from '../../src/network/precision.ts'
import { assertSameBits, withoutAddon } from '../support/addon.ts'
import { drawTask, run } from '../support/drive.ts'
import { everyEngine } from '../support/engines.ts'
import { scaled, some } from '../support/full.ts'
import { heldNetwork } from '../support/held.ts'
import { drawCell, drawOneStage } from '../support/networks.ts'
import { createRandom, randomFloats } from '../support/random.ts'

describe('bf16 and int8', () => {
  it('bf16 has the bits of float32 weights that are rounded already', { skip: withoutAddon }, async () => {
    const random = createRandom(41)
    const engines = nativeKernels().map((isa) => createNativeEngine({ isa, threads: 2, inlineBelow: 8000 }))
    for (let n = 0; n < scaled(400, 20); n++) {
      const network: Network = { ...drawOneStage(random, 60), precision: 'bf16' }
      const engine = engines[n % engines.length]
      const [loaded, rounded] = [engine.load(network), engine.load(heldNetwork(network))]
      const task = drawTask(loaded.programs[0], 1 + Math.floor(random() * 20), 1 + Math.floor(random() * 4), random)
      const [actual, expected] = [await run(loaded, task), await run(rounded, task)]
      assertSameBits(actual.state, expected.state, `network ${n}`)
      actual.outputs.forEach((output, k) => assertSameBits(output, expected.outputs[k], `network ${n}, output ${k}`))
      loaded.dispose()
      rounded.dispose()
    }
  })

  it('hold weights next to the largest float32, and rows of zeros, alike on every engine', async () => {
    const [largest, small] = [2 ** 128 - 2 ** 104, 2 ** -120]
    const cell = createCell({
      kind: 'rnn',
      activation: 'relu',
      sizes: { I: 1, Hi: 3, Ho: 3 },
      weightIh: Float32Array.of(largest, 0, -largest),
      weightHh: new Float32Array(9),
      biasIh: new Float32Array(3).fill(0.5),
      biasHh: new Float32Array(3)
    })
    const expected = { bf16: (2 ** 128 - 2 ** 120) * small + 0.5, int8: Math.fround(127 * small * Math.fround(largest / 127)) + 0.5 }
    for (const [name, engine] of await everyEngine()) {
      for (const precision of ['bf16', 'int8'] as const) {
        const loaded = engine.load({ ...bareCell(cell), precision })
        const { outputs: [output] } = await run(loaded, { rows: 1, steps: 1, state: new Float32Array(loaded.programs[0].state.width), inputs: [Float32Array.of(small)], repeated: 0, supports: [] })
        assert.deepEqual([...output], [expected[precision], 0.5, 0], `${name}, ${precision}`)
      }
    }
  })

  const STEPS = scaled(64, 4)
  // Twice the largest of the table in docs/models.md.
  const BOUNDS: Readonly<Record<Exclude<Precision, 'f32'>, number>> = { bf16: 0.01, int8: 0.025 }

  it('move the outputs of a cell as drawn by PyTorch by as little as the documentation says, on every engine', async () => {
    const random = createRandom(42)
    for (const kind of some(['lstm', 'gru', 'rnn'] as const, 1)) {
      const cell = torchCell(kind, 64, random)
      for (const [name, engine] of await everyEngine()) {
        const exact = engine.load(bareCell(cell))
        const task = { ...drawTask(exact.programs[0], 3, STEPS, random), repeated: 0 }
        const x = { ...task, inputs: [randomFloats(STEPS * 3 * 64, random)] }
        const [expected] = (await run(exact, x)).outputs
        for (const precision of ['bf16', 'int8'] as const) {
          const [actual] = (await run(engine.load({ ...bareCell(cell), precision }), x)).outputs
          const worst = Math.max(...actual.map((value, i) => Math.abs(value - expected[i])))
          assert.ok(worst > 1e-6 && worst < BOUNDS[precision], `${name}, ${kind}, ${precision}: ${worst}`)
        }
      }
    }
  })
})

/** A cell as `torch.nn.LSTM` and its like are drawn: all uniform, up to `1 / sqrt(Ho)`. */
function torchCell (kind: CellKind, units: number, random: () => number): Cell {
  const scale = 1 / Math.sqrt(units)
  const rows = GATES[kind] * units
  return {
    ...drawCell({ I: units, Hi: units, Ho: units }, random, { kind }),
    weightIh: randomFloats(rows * units, random, scale),
    weightHh: randomFloats(rows * units, random, scale),
    biasIh: randomFloats(rows, random, scale),
    biasHh: randomFloats(rows, random, scale)
  }
}
