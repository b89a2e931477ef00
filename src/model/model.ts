import type { Engine } from '../engine/engine.ts'
import type { Cell } from '../network/cell.ts'
import type { Layers } from '../network/layers.ts'
import type { Precision } from '../network/precision.ts'
import type { StateLayout } from '../network/state.ts'
import type { Admission } from '../scheduler/admission.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { outputAnswer, partsAnswer, rowY, statesAnswer, stepY, yAnswer, type SequenceAnswer, type SequenceStates, type SequenceStep, type StepAnswer } from './answers.ts'
import { unboundCall, type Call } from './call.ts'
import { countWeights, describeWiring, joinStates, type DescribedWiring } from './describe.ts'
import { stateAnswer, wantsState } from './going-on.ts'
import type { ModelInput } from './input.ts'
import { createKeptRows, type KeptRows } from './kept-rows.ts'
import { loadModel } from './loaded-model.ts'
import { naming, namingStream } from './naming.ts'
import type { Shape } from './network.ts'
import { createPlanner, type RequestBounds } from './plan.ts'
import type { Part } from './parts.ts'
import type { NamedPolicy } from './policies/policies.ts'
import type { Hosting } from './policies/policy.ts'
import { checkWiredStep, type SequenceRequest, type StepRequest } from './request.ts'
import { createRunner } from './runner.ts'

/** A network, its policy and its kept rows. */
export interface Model extends KeptRows {
  readonly name: string
  /** Whether its config.json says that it answers if a request names no model. */
  readonly isDefault: boolean
  /** A hash of its files. */
  readonly version: string
  /** What all its cells have in common. */
  readonly cell: Pick<Cell, 'kind' | 'activation' | 'gate'>
  readonly shape: Shape
  /** The width that its cells' outputs are projected to, if they are. */
  readonly projSize: number | undefined
  readonly policy: NamedPolicy
  /** What stands in front of the cells. */
  readonly input: ModelInput | undefined
  /** The `readout` of `config.json`, for display. */
  readonly readout: unknown
  /** What the policy stands for; undefined if only the client knows what feeds the next step. */
  readonly wiring: DescribedWiring | undefined
  /** The parts that a sequence can answer. */
  readonly parts: readonly Part[]
  /** What a row keeps between two steps. */
  readonly state: StateLayout
  readonly engine: Pick<Engine, 'name' | 'backend'>
  readonly parameters: number
  /** What its matrices are rounded to. */
  readonly precision: Precision
  /** Size of its weights in bytes, as they are held. */
  readonly weightBytes: number
  /** The names of tensors in its file that neither its network nor its policy uses. */
  readonly unusedTensors: readonly string[]
  /** One step of the bare network. @throws InputError */
  step (request: StepRequest, call?: Call): Promise<StepAnswer>
  /** Many steps with the wiring's feedback between them. @throws InputError */
  sequence (request: SequenceRequest, call?: Call): Promise<SequenceAnswer>
  /**
   * Like `sequence`, but yields results as they are computed: the steps, a few at a time, then the states. It runs no faster than it is read.
   *
   * @throws InputError, on the first read or later.
   */
  stream (request: SequenceRequest, call?: Call): AsyncGenerator<ReadonlyArray<SequenceStep | SequenceStates>, void>
  /** Ends the policy's own process, if there is one, and releases what the engine holds for the model. Call it once no request is in progress. */
  close (): Promise<void>
}

/** What all models of a process share. */
export interface ModelDeps extends RequestBounds {
  readonly engine: Engine
  readonly scheduler: Scheduler
  readonly admission: Admission
  /** The most rows in a batch; 1 computes each row alone. */
  readonly batchRows: number
  /** Limits for the models' own code. */
  readonly hosting: Hosting
}

export interface ModelParts {
  readonly name: string
  readonly isDefault?: boolean | undefined
  readonly version: string
  readonly layers: Layers
  readonly policy: NamedPolicy
  readonly input?: ModelInput | undefined
  /** How its matrices are held; f32 by default. */
  readonly precision?: Precision | undefined
  /** The `readout` of `config.json`, which is already part of the policy. */
  readonly readout?: unknown
  readonly unusedTensors?: readonly string[]
}

/** @throws RangeError if the cells and the wiring do not fit each other. */
export async function createModel ({ name, isDefault = false, version, layers, policy: chosen, input, precision = 'f32', readout, unusedTensors = [] }: ModelParts, deps: ModelDeps): Promise<Model> {
  const { policy } = chosen
  const { engine, scheduler, admission, batchRows } = deps
  const loaded = await loadModel({ name, version, layers, policy, input, precision }, engine, batchRows)
  const { shape, queues, tokens } = loaded
  const { parameters, bytes } = countWeights(layers, policy, input, engine.holds(precision))
  const { kind, activation, gate } = layers.nodes[0][0].cell
  const planner = createPlanner(loaded, deps)
  const runner = createRunner(loaded, scheduler, admission)

  /** A step of the wiring: a sequence of one step. */
  async function wiredStep (request: StepRequest, call: Call): Promise<StepAnswer> {
    checkWiredStep(request, shape)
    const one: SequenceRequest = { ...request, steps: 1, fields: [] }
    const plan = planner.sequence(one, false)
    const served = await runner.sequence(one, plan, call)
    const { h_next: _, ...states } = statesAnswer(served, shape, plan.outline)
    return { ...states, ...stateAnswer(one, plan.outline, served.keep, tokens) }
  }

  return {
    name,
    isDefault,
    version,
    cell: { kind, activation, gate },
    shape,
    projSize: layers.nodes[0][0].projection?.out,
    policy: { ...chosen, policy: loaded.policy },
    input,
    readout,
    wiring: describeWiring(policy),
    parts: loaded.parts,
    state: joinStates(queues.map((queue) => queue.program)),
    engine: { name: engine.name, backend: engine.backend },
    parameters,
    precision,
    weightBytes: bytes,
    unusedTensors,

    step: (request, call = unboundCall()) => naming(name, async () => {
      if (wantsState(request)) return await wiredStep(request, call)
      const plan = planner.step(request)
      const served = await runner.step(request, plan, call)
      return { ...statesAnswer(served, shape, plan.outline), ...stepY(served, plan.outline) }
    }),

    sequence: (request, call = unboundCall()) => naming(name, async () => {
      const plan = planner.sequence(request, false)
      const { outline } = plan
      const served = await runner.sequence(request, plan, call)
      return {
        output: outputAnswer(served, outline, shape, plan.entries > 0),
        ...yAnswer(served, outline, request.return_sequences !== false),
        ...statesAnswer(served, shape, outline),
        ...stateAnswer(request, outline, served.keep, tokens),
        ...partsAnswer(served.parts, outline)
      }
    }),

    stream: (request, call = unboundCall()) => namingStream(name, async function * () {
      const plan = planner.sequence(request, shape.directions === 1)
      const whole = yield * runner.steps(request, plan, call)
      yield [{ ...rowY(whole, plan.outline), ...statesAnswer(whole, shape, plan.outline), ...stateAnswer(request, plan.outline, whole.keep, tokens) }]
    }),

    ...createKeptRows(loaded, planner, runner),

    async close () {
      await policy.close?.()
      await loaded.dispose()
    }
  }
}
