import type { Engine } from '../../src/engine/engine.ts'
import { createCell, GATES, type CellKind } from '../../src/network/cell.ts'
import type { Layers } from '../../src/network/layers.ts'
import { bareCell, type Node } from '../../src/network/network.ts'
import { createModel, type Model } from '../../src/model/model.ts'
import { createPolicy, type PolicyOptions } from '../../src/model/policies/policies.ts'
import type { PolicySetting } from '../../src/model/policies/policy.ts'
import { createAdmission } from '../../src/scheduler/admission.ts'
import { SILENT } from '../../src/scheduler/events.ts'
import { createScheduler } from '../../src/scheduler/scheduler.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

/** A typical network, and how it is called: one request of `rows` rows and `steps` steps. */
export interface NetworkShape {
  readonly network: keyof typeof NETWORKS
  readonly rows: number
  readonly steps: number
}

interface Measured {
  /** Its name in the report. */
  readonly title: string
  /** Creates the network on an engine, and returns a function that runs the steps of the rows. */
  create (engine: Engine, rows: number, steps: number): Promise<() => unknown>
}

const NETWORKS = {
  bidirectional: {
    title: 'nn.LSTM(256, 256, 2, bidirectional)',
    async create (engine, rows, steps) {
      const model = await serve(engine, layersOf('lstm', 2, 256, [256, 512]))
      const x = random(rows, steps, 256)
      return async () => await model.sequence({ x })
    }
  },
  gru: {
    title: 'nn.GRU(256, 256), the engine alone',
    async create (engine, rows, steps) {
      const [[{ cell }]] = layersOf('gru', 1, 256, [256]).nodes
      const batch = engine.load(bareCell(cell)).batch(0, rows)
      batch.states[0].set(random(rows, 256).data)
      batch.input(0, steps * rows * 256).set(random(steps, rows, 256).data)
      batch.output(0, steps * rows * 256)
      const options = { repeated: 0, asked: 0, attention: 0 }
      return () => batch.advance(rows, steps, options)
    }
  },
  stack: {
    title: 'a step of three LSTM layers of 128',
    async create (engine, rows) {
      const model = await serve(engine, layersOf('lstm', 1, 128, [128, 128, 128]))
      const [x, hIn, cIn] = [random(rows, 128), random(rows, 3 * 128), random(rows, 3 * 128)]
      return async () => await model.step({ x, h_in: hIn, c_in: cIn })
    }
  },
  decoder: {
    title: 'fairseq\'s decoder, a layer of 512, 32 sources',
    async create (engine, rows, steps) {
      const model = await serve(engine, layersOf('lstm', 1, 512, [1024]), FAIRSEQ, { query: random(512, 512), out: random(512, 1024) })
      const [x, hIn, cIn, support] = [random(rows, steps, 512), random(rows, 512), random(rows, 512), random(rows, 32, 512)]
      return async () => await model.sequence({ x, h_in: hIn, c_in: cIn, context: { support }, parts: ['attentional'] })
    }
  }
} satisfies Readonly<Record<string, Measured>>

/** The read comes from the decoder's h; a layer over both feeds the next step, in addition to its x. */
const FAIRSEQ: PolicyOptions = {
  policy: 'wiring',
  initial: 'no-read',
  read: { score: 'dot', query: { weight: 'query' } },
  let: { attentional: { weight: 'out', activation: 'tanh', of: ['read', 'h'] } },
  x: ['x', 'attentional']
}

export const networkShapes: readonly NetworkShape[] = [
  ...[1, 8].map((rows): NetworkShape => ({ network: 'bidirectional', rows, steps: 64 })),
  ...[1, 64].flatMap((steps) => [1, 8, 32].map((rows): NetworkShape => ({ network: 'gru', rows, steps }))),
  { network: 'stack', rows: 1, steps: 1 },
  ...[1, 16].map((rows): NetworkShape => ({ network: 'decoder', rows, steps: 32 }))
]

export const titleOf = ({ network }: NetworkShape): string => NETWORKS[network].title

export async function createNetworkCall (engine: Engine, { network, rows, steps }: NetworkShape): Promise<() => unknown> {
  const { create }: Measured = NETWORKS[network]
  return await create(engine, rows, steps)
}

function random (...shape: number[]): Tensor {
  const size = shape.reduce((a, b) => a * b)
  const scale = 1 / Math.sqrt(shape[shape.length - 1])
  return new Tensor(shape, Float32Array.from({ length: size }, () => (Math.random() * 2 - 1) * scale))
}

/** Layers of `Ho` units, whose cells each read an x of a given width. */
function layersOf (kind: CellKind, directions: 1 | 2, Ho: number, widths: readonly number[]): Layers {
  const node = (I: number): Node => {
    const weights = (width: number): Float32Array => random(GATES[kind] * Ho, width).data
    return { cell: createCell({ kind, sizes: { I, Hi: Ho, Ho }, weightIh: weights(I), weightHh: weights(Ho), biasIh: weights(1), biasHh: weights(1) }) }
  }
  return { kind, nodes: widths.map((I) => directions === 2 ? [node(I), node(I)] : [node(I)]) }
}

async function serve (engine: Engine, layers: Layers, feedback?: PolicyOptions, tensors: Readonly<Record<string, Tensor>> = {}): Promise<Model> {
  const hosting = { timeout: 1, memory: 64, report: () => {} }
  const setting: PolicySetting = { layers, folder: undefined, tensor: (name) => tensors[name], tensors: () => Object.entries(tensors), hosting }
  return await createModel({ name: 'bench', version: 'bench', layers, policy: await createPolicy(feedback, setting) }, {
    engine,
    scheduler: createScheduler(SILENT),
    admission: createAdmission(1e6, 1e9),
    maxSteps: 1e6,
    maxWork: Infinity,
    batchRows: 64,
    hosting
  })
}
