import { usableCores } from '../../src/engine/cores.ts'
import type { Batch, Engine } from '../../src/engine/engine.ts'
import { createNativeEngine } from '../../src/engine/native.ts'
import type { Cell } from '../../src/network/cell.ts'
import { concat, part } from '../../src/network/feed.ts'
import { PLAIN, type Network, type Wiring } from '../../src/network/network.ts'

/** So many steps of so many rows of such a cell. */
export interface Shape {
  readonly rows: number
  readonly I: number
  readonly Hi: number
  readonly Ho: number
  readonly steps: number
}

/** One attention read of so many rows: dot scores with so many supports of that width. */
export interface ReadShape {
  readonly rows: number
  readonly supports: number
  readonly width: number
  /** Whether each row has supports of its own; otherwise all share one set. */
  readonly own: boolean
}

/** One who takes part. */
export interface Side {
  readonly name: string
  /** Microseconds per step, measured for about so many milliseconds; undefined if it does not do this shape. */
  measure (shape: Shape, ms: number): Promise<number | undefined>
  /** Microseconds per read, likewise. */
  measureRead (shape: ReadShape, ms: number): Promise<number | undefined>
}

/** Our engines, as the service calls them. */
export async function engineSides (): Promise<Side[]> {
  const cores = usableCores()
  const sides = [engineSide('native', createNativeEngine({ threads: 1, inlineBelow: Infinity }), true)]
  if (cores > 1) sides.push(engineSide(`native, ${cores} threads`, createNativeEngine({ threads: cores, inlineBelow: 0 }), true))
  process.env.TF_NUM_INTRAOP_THREADS = process.env.TF_NUM_INTEROP_THREADS = '1'
  for (const [backend, name] of [['tensorflow', 'tfjs-node'], ['wasm', 'tfjs wasm']] as const) {
    try {
      const { createTfjsEngine } = await import('../../src/engine/tfjs.ts')
      sides.push(engineSide(name, await createTfjsEngine(backend), false))
    } catch (error) {
      console.log(`${name} is left out: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return sides
}

function engineSide (name: string, engine: Engine, sequences: boolean): Side {
  const calls = new Map<string, () => unknown>()
  async function callFor<S> (shape: S, create: (shape: S) => Promise<() => unknown>): Promise<() => unknown> {
    const key = JSON.stringify(shape)
    const call = calls.get(key) ?? await create(shape)
    calls.set(key, call)
    return call
  }
  return {
    name,
    async measure (shape, ms) {
      if (shape.steps > 1 && !sequences) return undefined
      return await stretches(await callFor(shape, async (one) => createCall(engine, one)), ms) / shape.steps
    },
    async measureRead (shape, ms) {
      if (!sequences) return undefined
      return await stretches(await callFor(shape, async (one) => await createRead(engine, one)), ms)
    }
  }
}

const random = (length: number, scale = 1): Float32Array => Float32Array.from({ length }, () => (Math.random() * 2 - 1) * scale)

function network (cell: Cell, wiring: Partial<Wiring>): Network {
  const inputs = [{ name: 'x', width: cell.sizes.I }]
  return { stages: [{ name: 'cell', direction: 'forward', inputs, nodes: [{ cell }], wiring: { ...PLAIN, ...wiring } }] }
}

function randomCell (I: number, Hi: number, Ho: number): Cell {
  const scale = 1 / Math.sqrt(Ho)
  return {
    kind: 'lstm',
    activation: 'tanh',
    sizes: { I, Hi, Ho },
    weightIh: random(4 * Ho * I, scale),
    weightHh: random(4 * Ho * Hi, scale),
    biasIh: random(4 * Ho, scale),
    biasHh: random(4 * Ho, scale)
  }
}

function fillStates ({ states: [state] }: Batch): void {
  state.set(random(state.length))
}

function createCall (engine: Engine, { rows, I, Hi, Ho, steps }: Shape): () => unknown {
  const h = Hi === Ho ? 'own' : concat(...Array.from({ length: Hi / Ho }, () => part('h')))
  const batch = engine.load(network(randomCell(I, Hi, Ho), { h })).batch(0, rows)
  fillStates(batch)
  batch.input(0, steps * rows * I).set(random(steps * rows * I))
  batch.output(0, steps * rows * Ho)
  return () => batch.advance(rows, steps, { repeated: 0, asked: 0, attention: 0 })
}

async function createRead (engine: Engine, { rows, supports, width, own }: ReadShape): Promise<() => unknown> {
  const read = { score: 'dot', scale: 1, query: part('h'), support: width } as const
  const loaded = engine.load(network(randomCell(1, 2 * width, width), { read, h: concat(part('h'), part('read')) }))
  const counts = Array.from({ length: own ? rows : 1 }, () => supports)
  const memory = loaded.remember(0, random(counts.length * supports * width), counts)
  while (!await memory.prepare(1e6));
  const batch = loaded.batch(0, rows)
  fillStates(batch)
  for (let i = 0; i < rows; i++) batch.attach(i, memory, own ? i : 0)
  return () => batch.start(rows, loaded.programs[0].read, { attention: 0 })
}

/** Microseconds per call: the best of three stretches, as the Python peers measure theirs. */
async function stretches (call: () => unknown, ms: number): Promise<number> {
  const timed = async (times: number): Promise<number> => {
    const start = performance.now()
    for (let n = 0; n < times; n++) {
      const pending = call()
      if (pending !== undefined) await pending
    }
    return (performance.now() - start) * 1000 / times
  }
  const first = await timed(1)
  if (first > ms * 1000) return Math.min(first, await timed(1))
  const times = Math.max(1, Math.floor(ms * 1000 / 3 / Math.max(await timed(3), 0.5)))
  return Math.min(await timed(times), await timed(times), await timed(times))
}
