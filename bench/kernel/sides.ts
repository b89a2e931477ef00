import type { Engine } from '../../src/engine/engine.ts'
import { usableCores } from '../../src/engine/cores.ts'
import { createNativeEngine } from '../../src/engine/native.ts'
import { concat, part, type Feed } from '../../src/network/feed.ts'
import { bareCell, PLAIN } from '../../src/network/network.ts'
import { PRECISIONS, type Precision } from '../../src/network/precision.ts'
import { drawCell } from '../../test/support/networks.ts'
import { createRandom, randomFloats } from '../../test/support/random.ts'
import { createNetworkCall, type NetworkShape } from './networks.ts'

/** What is measured: `steps` steps of `rows` rows of a cell of this shape. */
export interface Shape {
  readonly rows: number
  readonly I: number
  readonly Hi: number
  readonly Ho: number
  readonly steps: number
}

/** One attention read of `rows` rows: dot scores with `supports` supports of `width` numbers. */
export interface ReadShape {
  readonly rows: number
  readonly supports: number
  readonly width: number
  /** Whether each row has its own supports; otherwise all rows share one set. */
  readonly own: boolean
}

/** One side of the comparison. */
export interface Side {
  readonly name: string
  /** Microseconds per step or read, measured for about `ms` milliseconds; undefined if the side does not support this shape. */
  measure (shape: Shape | ReadShape | NetworkShape, ms: number): Promise<number | undefined>
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

/** The native engine on one thread, one side for each weight precision. */
export function precisionSides (): Side[] {
  const engine = createNativeEngine({ threads: 1, inlineBelow: Infinity })
  return PRECISIONS.map((precision) => engineSide(precision, engine, true, precision))
}

function engineSide (name: string, engine: Engine, sequences: boolean, precision: Precision = 'f32'): Side {
  const calls = new Map<string, () => unknown>()
  return {
    name,
    async measure (shape, ms) {
      const steps = 'steps' in shape ? shape.steps : 1
      if (!sequences && (steps > 1 || !('I' in shape))) return undefined
      const key = JSON.stringify(shape)
      const call = calls.get(key) ?? await createCall(engine, shape, precision)
      calls.set(key, call)
      return await stretches(call, ms) / steps
    }
  }
}

async function createCall (engine: Engine, shape: Shape | ReadShape | NetworkShape, precision: Precision): Promise<() => unknown> {
  if ('network' in shape) return await createNetworkCall(engine, shape)
  return 'supports' in shape ? await createRead(engine, shape) : createSteps(engine, shape, precision)
}

const RANDOM = createRandom(1)

const random = (length: number): Float32Array => randomFloats(length, RANDOM)

/** Steps of a cell that reads its own last output, repeated as often as its Hi requires; a single step is the bare cell's. */
function createSteps (engine: Engine, { rows, I, Hi, Ho, steps }: Shape, precision: Precision): () => unknown {
  const repeated = steps > 1 && Hi !== Ho ? { ...PLAIN, h: concat(...new Array<Feed>(Hi / Ho).fill(part('h'))) } : undefined
  const batch = engine.load({ ...bareCell(drawCell({ I, Hi, Ho }, RANDOM), repeated), precision }).batch(0, rows)
  batch.states[0].set(random(batch.states[0].length))
  batch.input(0, steps * rows * I).set(random(steps * rows * I))
  batch.output(0, steps * rows * Ho)
  const options = { repeated: 0, asked: 0, attention: 0 }
  return () => batch.advance(rows, steps, options)
}

/** An attention read of a cell's h, and the feed of the cell's next step. */
async function createRead (engine: Engine, { rows, supports, width, own }: ReadShape): Promise<() => unknown> {
  const read = { score: 'dot', scale: 1, query: part('h'), support: width } as const
  const loaded = engine.load(bareCell(drawCell({ I: 1, Hi: 2 * width, Ho: width }, RANDOM), { ...PLAIN, read, h: concat(part('h'), part('read')) }))
  const counts = Array.from({ length: own ? rows : 1 }, () => supports)
  const memory = loaded.remember(0, random(counts.length * supports * width), counts)
  while (!await memory.prepare(1e6));
  const batch = loaded.batch(0, rows)
  batch.states[0].set(random(batch.states[0].length))
  for (let i = 0; i < rows; i++) batch.attach(i, memory, own ? i : 0)
  const [{ read: from, instructions }] = loaded.programs
  return () => batch.start(rows, from, instructions.length, { attention: 0 })
}

/** Microseconds per call: the best of three stretches, like the Python peers' measurements. */
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
