import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createNativeEngine, nativeKernels } from '../../src/engine/native.ts'
import { withoutAddon } from '../support/cells.ts'
import { drawTask, readState, run, type Outcome, type Task } from '../support/drive.ts'
import { createRandom, drawNetwork } from '../support/networks.ts'
import { stepRow } from '../support/textbook.ts'
import type { Program } from '../../src/engine/program.ts'

/** Compares what an engine made of a task with the textbook's, within what float32 loses. */
export function assertByTheBook (program: Program, task: Task, outcome: Outcome, what: string): void {
  const { rows, steps } = task
  const { stage, outputs, inputs, attention } = program
  const near = (actual: number, expected: number, where: string): void => {
    if (!(Math.abs(actual - expected) < 2e-5 * (1 + Math.abs(expected)))) assert.fail(`${what}, ${where}: ${actual} for ${expected}`)
  }
  const compare = (actual: ArrayLike<number>, expected: readonly number[], where: string): void => {
    expected.forEach((value, j) => near(actual[j], value, `${where}[${j}]`))
  }
  for (let row = 0; row < rows; row++) {
    const state = readState(program, task.state, row)
    const D = attention?.support ?? 1
    const set = task.supports[row] ?? new Float32Array(0)
    const supports = Array.from({ length: set.length / D }, (_, i) => [...set.subarray(i * D, (i + 1) * D)])
    for (let t = 0; t < steps; t++) {
      const at = (values: Float32Array, width: number, time: number): number[] => [...values.subarray((time * rows + row) * width, (time * rows + row + 1) * width)]
      const given = new Map(inputs.map(({ name, width }, k) => [name, at(task.inputs[k], width, (task.repeated >> k & 1) === 1 ? 0 : t)]))
      const { output, fed, attention: weights } = stepRow(stage, state, given, supports)
      outputs.forEach(({ name, width }, k) => {
        const expected = name === 'output' ? output : name === 'read' ? state.read : fed.get(name) ?? state.lets.get(name) ?? state.h[Number(name.slice(1))]
        compare(at(outcome.outputs[k], width, t), expected, `row ${row}, step ${t}, ${name}`)
      })
      const N = outcome.attention.length / rows / steps
      if (N > 0) compare(at(outcome.attention, N, t), [...weights, ...new Array<number>(N - weights.length).fill(0)], `row ${row}, step ${t}, attention`)
    }
    const end = readState(program, outcome.state, row)
    end.h.forEach((h, n) => compare(h, [...state.h[n]], `row ${row}, h${n}`))
    end.c.forEach((c, n) => compare(c, [...state.c[n]], `row ${row}, c${n}`))
    compare(end.hIn, [...state.hIn], `row ${row}, h_in`)
  }
}

describe('the native engine', { skip: withoutAddon }, () => {
  it('agrees with double precision on hundreds of random networks', async () => {
    const random = createRandom(20)
    const engines = nativeKernels().map((isa) => createNativeEngine({ isa, threads: 3, inlineBelow: 8000 }))
    for (let n = 0; n < Number(process.env.COUNT ?? 400); n++) {
      const network = drawNetwork(random)
      const rows = 1 + Math.floor(random() ** 2 * 12)
      const steps = 1 + Math.floor(random() * 5)
      const loaded = engines[n % engines.length].load(network)
      const [program] = loaded.programs
      const task = drawTask(program, rows, steps, random)
      assertByTheBook(program, task, await run(loaded, task), `network ${n}`)
      loaded.dispose()
    }
  })
})
