import { setTimeout } from 'node:timers/promises'
import type { Engine, LoadedNetwork } from '../engine/engine.ts'
import { feedWithoutWeights, wiringWithoutWeights } from '../network/without-weights.ts'
import type { Layers } from '../network/layers.ts'
import type { Precision } from '../network/precision.ts'
import { createStageQueue, type StageQueue } from '../scheduler/stage-queue.ts'
import type { ModelInput } from './input.ts'
import { createServedNetwork, type Shape } from './network.ts'
import { findParts, type Part } from './parts.ts'
import type { Policy } from './policies/policy.ts'
import { createTokens, type Tokens } from './tokens.ts'

/** A model's network in an engine, with a queue for each of its stages. */
export interface LoadedModel {
  readonly name: string
  readonly network: LoadedNetwork
  readonly policy: Policy
  readonly shape: Shape
  /** What a sequence can answer in addition to its outputs and states. */
  readonly parts: readonly Part[]
  /** The queues of the stages that a sequence goes through. */
  readonly queues: readonly StageQueue[]
  /** The queue of the stage that a step of the bare network goes through; undefined with two directions. */
  readonly bare: StageQueue | undefined
  readonly tokens: Tokens
  /** Releases what the engine holds for it, once no call is in progress. Call it when nobody uses the model any more. */
  dispose (): Promise<void>
}

/** How long to wait before checking again whether an engine's call has ended, in milliseconds. */
const WAIT = 10

export interface LoadingParts {
  readonly name: string
  /** A hash of its files. */
  readonly version: string
  readonly layers: Layers
  readonly policy: Policy
  readonly input?: ModelInput | undefined
  readonly precision: Precision
}

/**
 * @param batchRows the most rows in a batch.
 * @throws RangeError if the cells and the wiring do not fit each other.
 */
export async function loadModel ({ name, version, layers, policy, input, precision }: LoadingParts, engine: Engine, batchRows: number): Promise<LoadedModel> {
  const { network, passes, bare, shape } = createServedNetwork(layers, policy, input)
  const loaded = await engine.loadBeside({ ...network, precision })
  const queues = network.stages.map((_, index) => createStageQueue(loaded, index, { name, batchRows, budget: engine.budget }))
  const ofSequence = queues.slice(0, passes)
  return {
    name,
    network: loaded,
    policy: withoutItsWeights(policy),
    shape,
    parts: findParts(ofSequence.map(({ program }) => program)),
    queues: ofSequence,
    bare: bare === undefined ? undefined : queues[bare],
    tokens: createTokens(name, version, queues[0].program.state),
    async dispose () {
      while (queues.some(({ busy }) => busy)) await setTimeout(WAIT)
      for (const { batch } of queues) batch.dispose()
      loaded.dispose()
    }
  }
}

/** The engine holds the weights. */
function withoutItsWeights (policy: Policy): Policy {
  return { ...policy, wiring: policy.wiring && wiringWithoutWeights(policy.wiring), readout: policy.readout && feedWithoutWeights(policy.readout) }
}
