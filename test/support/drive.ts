import assert from 'node:assert/strict'
import type { LoadedNetwork, Memory } from '../../src/engine/engine.ts'
import type { Program } from '../../src/engine/program.ts'
import { findSlice } from '../../src/network/state.ts'
import { stepRow, type RowState } from './textbook.ts'
import { randomFloats } from './random.ts'

/** Rows of one stage, and the number of steps to run. */
export interface Task {
  readonly rows: number
  readonly steps: number
  /** `[rows, state.width]` */
  readonly state: Float32Array
  /** For each input: `[steps, rows, width]`, or `[rows, width]` if it is repeated. */
  readonly inputs: readonly Float32Array[]
  readonly repeated: number
  /** A set per row, each `[count, D]`. */
  readonly supports: readonly Float32Array[]
}

export interface Outcome {
  readonly state: Float32Array
  /** For each output: `[steps, rows, width]`. */
  readonly outputs: readonly Float32Array[]
  /** `[steps, rows, N]` */
  readonly attention: Float32Array
}

export function drawTask (program: Program, rows: number, steps: number, random: () => number, most = 30): Task {
  const repeated = program.inputs.reduce((bits, _, k) => bits | (random() < 0.3 ? 1 << k : 0), 0)
  const state = randomFloats(rows * program.state.width, random)
  const given = findSlice(program.state, 'given')
  if (given !== undefined) {
    for (let i = 0; i < rows; i++) state[i * program.state.width + given.offset] = random() < 0.5 ? 1 : 0
  }
  const D = program.attention?.support ?? 0
  // Some rows share a set.
  const pool = Array.from({ length: 1 + Math.floor(random() * rows) }, () => randomFloats(Math.floor(random() ** 2 * most) * D, random))
  return {
    rows,
    steps,
    state,
    inputs: program.inputs.map(({ width }, k) => randomFloats(((repeated >> k & 1) === 1 ? 1 : steps) * rows * width, random)),
    repeated,
    supports: program.attention === undefined ? [] : Array.from({ length: rows }, () => pool[Math.floor(random() * pool.length)])
  }
}

/** Some rows of a task, for some of its steps, from a state. */
export function partOf (program: Program, task: Task, picked: readonly number[], from = 0, to = task.steps, state = task.state): Task {
  const gather = (all: Float32Array, width: number, first: number, steps: number): Float32Array => {
    const some = new Float32Array(steps * picked.length * width)
    for (let t = 0; t < steps; t++) {
      picked.forEach((row, i) => {
        const at = ((first + t) * task.rows + row) * width
        some.set(all.subarray(at, at + width), (t * picked.length + i) * width)
      })
    }
    return some
  }
  return {
    rows: picked.length,
    steps: to - from,
    state: gather(state, program.state.width, 0, 1),
    inputs: task.inputs.map((all, k) => (task.repeated >> k & 1) === 1
      ? gather(all, program.inputs[k].width, 0, 1)
      : gather(all, program.inputs[k].width, from, to - from)),
    repeated: task.repeated,
    supports: task.supports.length === 0 ? [] : picked.map((row) => task.supports[row])
  }
}

function widestSet ({ attention }: Program, { supports }: Task): number {
  return attention === undefined ? 0 : Math.max(0, ...supports.map((set) => set.length / attention.support))
}

/** Remembers the distinct sets of a task together, including empty ones. */
export async function remember (network: LoadedNetwork, stage: number, { supports }: Task, work = 1000): Promise<{ memory: Memory, sets: readonly Float32Array[] }> {
  const D = network.programs[stage].attention?.support ?? 1
  const sets = [...new Set(supports)]
  const all = new Float32Array(sets.reduce((sum, set) => sum + set.length, 0))
  sets.reduce((at, set) => {
    all.set(set, at)
    return at + set.length
  }, 0)
  const memory = network.remember(stage, all, sets.map((set) => set.length / D))
  while (!await memory.prepare(work));
  return { memory, sets }
}

/** Runs a task in a batch of its own. */
export async function run (network: LoadedNetwork, task: Task, { stage = 0, maxRows = task.rows, start }: { stage?: number, maxRows?: number, start?: number } = {}): Promise<Outcome> {
  const program = network.programs[stage]
  const batch = network.batch(stage, maxRows)
  const { rows, steps } = task
  batch.states[0].set(task.state)
  program.inputs.forEach((_, k) => batch.input(k, task.inputs[k].length).set(task.inputs[k]))
  const width = widestSet(program, task)
  const outputs = program.outputs.map((output, k) => batch.output(k, steps * rows * output.width))
  const attention = batch.attention(steps * rows * width)
  let memory: Memory | undefined
  if (program.attention !== undefined) {
    const remembered = await remember(network, stage, task)
    memory = remembered.memory
    for (let i = 0; i < rows; i++) batch.attach(i, memory, remembered.sets.indexOf(task.supports[i]))
  }
  if (start !== undefined) await batch.start(rows, start, program.end, { attention: width })
  else await batch.advance(rows, steps, { repeated: task.repeated, asked: 2 ** 31 - 1, attention: width })
  const outcome = {
    state: batch.states[start === undefined ? steps % 2 : 0].slice(0, rows * program.state.width),
    outputs: outputs.map((output, k) => output.slice(0, steps * rows * program.outputs[k].width)),
    attention: attention.slice(0, steps * rows * width)
  }
  memory?.dispose()
  batch.dispose()
  return outcome
}

/** Reads a row's state into its parts. */
function readState (program: Program, state: Float32Array, row: number): RowState {
  const slice = (name: string): number[] => {
    const found = findSlice(program.state, name)
    if (found === undefined) return []
    const at = row * program.state.width + found.offset
    return [...state.subarray(at, at + found.width)]
  }
  return {
    h: program.stage.nodes.map((_, n) => slice(`h${n}`)),
    c: program.stage.nodes.map((_, n) => slice(`c${n}`)),
    hIn: slice('h_in'),
    given: slice('given')[0] === 1,
    read: slice('read'),
    lets: new Map(program.stage.wiring.lets.map(({ name }) => [name, slice(name)])),
    y: slice('y')
  }
}

/** Compares an engine's results for a task with the textbook's, within float32's precision. */
export function assertByTheBook (program: Program, task: Task, outcome: Outcome, what: string): void {
  const { rows, steps } = task
  const { stage, outputs, inputs, attention } = program
  const near = (actual: number, expected: number, where: string): void => {
    if (!(Math.abs(actual - expected) < 2e-4 * (1 + Math.abs(expected)))) assert.fail(`${what}, ${where}: ${actual} for ${expected}`)
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
      const { output, fed, gates, attention: weights } = stepRow(stage, state, given, supports)
      // The observable state of the nodes; only an LSTM has a c.
      const taps = new Map([['h', state.h.flat()], ['c', state.c.flatMap((c, n) => stage.nodes[n].cell.kind === 'lstm' ? c : [])], ['gates', gates]])
      outputs.forEach(({ name, width }, k) => {
        const expected = name === 'output' ? output : name === 'read' ? state.read : taps.get(name) ?? fed.get(name) ?? state.lets.get(name) ?? state.h[Number(name.slice(1))]
        compare(at(outcome.outputs[k], width, t), expected, `row ${row}, step ${t}, ${name}`)
      })
      const N = outcome.attention.length / rows / steps
      if (N > 0) compare(at(outcome.attention, N, t), [...weights, ...new Array<number>(N - weights.length).fill(0)], `row ${row}, step ${t}, attention`)
    }
    const end = readState(program, outcome.state, row)
    end.h.forEach((h, n) => compare(h, [...state.h[n]], `row ${row}, h${n}`))
    end.c.forEach((c, n) => compare(c, [...state.c[n]], `row ${row}, c${n}`))
    compare(end.hIn, [...state.hIn], `row ${row}, h_in`)
    if (end.y.length > 0) compare(end.y, [...state.y], `row ${row}, y`)
  }
}
