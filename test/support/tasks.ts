import type { Engine } from '../../src/engine/engine.ts'
import type { Network } from '../../src/network/network.ts'
import { States } from '../../src/network/states.ts'
import { unboundCall } from '../../src/model/call.ts'
import { SILENT } from '../../src/scheduler/events.ts'
import { createScheduler } from '../../src/scheduler/scheduler.ts'
import { createStageQueue } from '../../src/scheduler/stage-queue.ts'
import type { Kept, Pass, Sink, Stream } from '../../src/scheduler/task.ts'
import { size, type Random } from './random.ts'

/** The inputs, support sets and states of some rows. */
export interface Rows {
  readonly lengths: readonly number[]
  /** By name, `[B, T, width]`, where T is the longest row's length; or `[B, width]`, the same at every step. */
  readonly inputs: ReadonlyMap<string, { readonly data: Float32Array, readonly repeated: boolean }>
  /** One set per row, or one for all. */
  readonly supports: readonly Float32Array[]
  /** By stage, `[B, S]`. */
  readonly states: readonly Float32Array[]
  readonly start: 'read' | 'feed'
}

/** All results for the rows. */
export interface Result {
  /** Every output and state, by stage and name; rows one after the other, all of the same size. */
  readonly tensors: ReadonlyMap<string, Float32Array>
}

/** Draws rows for a network. */
export function drawRows (engine: Engine, network: Network, random: Random, { mostRows = 5, mostSteps = 9, mostSupports = 40 } = {}): Rows {
  const loaded = engine.load(network)
  const floats = (length: number): Float32Array => Float32Array.from({ length }, () => random() * 2 - 1)
  const B = size(random, mostRows)
  const lengths = Array.from({ length: B }, () => size(random, mostSteps))
  const T = Math.max(...lengths)
  const inputs = new Map(network.stages[0].inputs.map(({ name, width }) => {
    const repeated = random() < 0.3
    return [name, { data: floats(B * (repeated ? 1 : T) * width), repeated }]
  }))
  const width = loaded.programs[0].attention?.support ?? 0
  const sets = random() < 0.5 ? 1 : B
  const supports = width === 0 ? [] : Array.from({ length: sets }, () => floats(width * size(random, mostSupports)))
  const states = loaded.programs.map(({ state, late }) => {
    const drawn = new States(state, B)
    // Some tasks continue from the state of others; only `given` is a flag, not an arbitrary number.
    if (random() < 0.5) drawn.data.set(floats(drawn.data.length))
    if (late) drawn.put('given', Float32Array.from({ length: B }, () => random() < 0.5 ? 1 : 0), 1)
    return drawn.data
  })
  loaded.dispose()
  return { lengths, inputs, supports, states, start: random() < 0.7 ? 'read' : 'feed' }
}

/** One of the rows alone. */
export function rowOf ({ lengths, inputs, supports, states, start }: Rows, row: number): Rows {
  const B = lengths.length
  const part = (data: Float32Array): Float32Array => data.slice(row * data.length / B, (row + 1) * data.length / B)
  const T = Math.max(...lengths)
  return {
    lengths: [lengths[row]],
    inputs: new Map([...inputs].map(([name, { data, repeated }]) => {
      const own = part(data)
      return [name, { data: repeated ? own : own.slice(0, own.length / T * lengths[row]), repeated }]
    })),
    supports: supports.length < 2 ? supports : [supports[row]],
    states: states.map(part),
    start
  }
}

/** Runs tasks concurrently on their own scheduler. */
export async function runTasks (engine: Engine, network: Network, tasks: readonly Rows[], { batchRows = 64, budget = engine.budget, events = SILENT } = {}): Promise<Result[]> {
  const loaded = engine.load(network)
  const scheduler = createScheduler(events)
  const queues = network.stages.map((_, index) => createStageQueue(loaded, index, { name: 'test', batchRows, budget }))
  try {
    return await Promise.all(tasks.map(async ({ lengths, inputs, supports, states, start }) => {
      const B = lengths.length
      const T = Math.max(...lengths)
      const D = loaded.programs[0].attention?.support ?? 1
      const memory = supports.length === 0 ? undefined : loaded.remember(0, Float32Array.from(supports.flatMap((set) => [...set])), supports.map((set) => set.length / D))
      const kept = (entries: number, width: number): Kept => ({ data: new Float32Array(B * entries * width), entries, width })
      const streams = new Map<string, Stream>(network.stages[0].inputs.map(({ name, width }) => {
        const { data, repeated } = inputs.get(name) ?? { data: new Float32Array(0), repeated: true }
        return [name, repeated ? { data, rowStride: width, stepStride: 0 } : { data, rowStride: T * width, stepStride: width }]
      }))
      const tensors = new Map<string, Float32Array>()
      const passes = queues.map((queue, s): Pass => {
        const { program } = queue
        const state = states[s].slice()
        tensors.set(`${s} state`, state)
        const outputs = program.outputs.map(({ width }) => kept(T + 1, width))
        const sinks = outputs.map((kept, output): Sink => {
          tensors.set(`${s} ${program.outputs[output].name}`, kept.data)
          return { output, kept, offset: 0, shift: 0 }
        })
        streams.set(program.stage.name, { data: outputs[0].data, rowStride: (T + 1) * outputs[0].width, stepStride: outputs[0].width })
        const attention = program.attention === undefined ? undefined : kept(T + 1, Math.max(...supports.map((set) => set.length / D)))
        if (attention !== undefined) tensors.set(`${s} attention`, attention.data)
        const from = program[start]
        return {
          queue,
          state,
          inputs: program.inputs.map(({ name }) => streams.get(name) ?? { data: new Float32Array(0), rowStride: 0, stepStride: 0 }),
          sinks,
          memory: s === 0 ? memory : undefined,
          attention,
          start: from < program.end ? [{ from, to: program.end }] : undefined,
          peek: program.late
        }
      })
      await scheduler.run({ rows: B, lengths, passes, call: unboundCall(), field: '/x' })
      memory?.dispose()
      return { tensors }
    }))
  } finally {
    loaded.dispose()
  }
}

/**
 * Compares a row's numbers within a task with those of the row alone, up to its own length and supports.
 *
 * @param alone the result of the row alone.
 */
export function compareRow (whole: Result, { lengths }: Rows, row: number, alone: Result, compare: (name: string, actual: Float32Array, expected: Float32Array) => void): void {
  const B = lengths.length
  const T = Math.max(...lengths)
  const own = lengths[row]
  for (const [name, expected] of alone.tensors) {
    const data = whole.tensors.get(name) ?? new Float32Array(0)
    const actual = data.slice(row * data.length / B, (row + 1) * data.length / B)
    if (name.endsWith(' state')) {
      compare(name, actual, expected)
      continue
    }
    const width = expected.length / (own + 1)
    const stride = actual.length / (T + 1)
    for (let t = 0; t <= own; t++) compare(name, actual.slice(t * stride, t * stride + width), expected.slice(t * width, (t + 1) * width))
  }
}
