import { countParameters, type Cell, type CellSizes } from '../cell.ts'
import type { Engine } from '../engine/engine.ts'
import { Refusal, unprocessable } from '../refusal.ts'
import { Tensor } from '../tensor.ts'
import type { Admission } from './admission.ts'
import { createBatch } from './batch.ts'
import { patientCaller, type Caller } from './caller.ts'
import type { Feedback, Policy } from './feedback/policy.ts'
import { checkAnswerSize } from './limits.ts'
import type { Meter } from './meter.ts'
import { expandState, outlineSequence, outlineStep, type Outline, type SequenceRequest, type StepRequest } from './request.ts'
import { createScheduler } from './scheduler.ts'
import type { Work } from './work.ts'

/** A cell, its policy, its rows. */
export interface Model {
  readonly name: string
  /** Its config.json says that it answers where a request names none. */
  readonly isDefault: boolean
  readonly sizes: CellSizes
  readonly policy: { readonly name: string, readonly policy: Policy }
  readonly engine: Pick<Engine, 'name' | 'backend'>
  readonly parameters: number
  /** One step of the bare cell. @throws Refusal */
  step (request: StepRequest, caller?: Caller): Promise<StepAnswer>
  /** Many steps with the policy's feedback between them. @throws Refusal */
  sequence (request: SequenceRequest, caller?: Caller): Promise<SequenceAnswer>
}

/** `[B][Ho]`, or `[Ho]` where the request's `x` has no batch dimension. */
export interface StepAnswer {
  readonly h_out: Tensor
  readonly c_out: Tensor
}

export interface SequenceAnswer extends StepAnswer {
  /** `[B][T][Ho]`, or `[B][Ho]` of the last steps. */
  readonly output: Tensor
  /** `[B][Hi]`: what the policy would feed to the next step; left out where only the client knows. */
  readonly h_next?: Tensor
  /** `[B][T][N]`, where the request asked for attention weights. */
  readonly weights?: Tensor
}

/** What all models of a process share. */
export interface ModelHouse {
  readonly engine: Engine
  /** The largest B x T of a request. */
  readonly maxSteps: number
  /** The most rows in a batch; 1 computes each row alone. */
  readonly batchRows: number
  readonly admission: Admission
  readonly meter: Meter
}

export interface ModelParts {
  readonly name: string
  readonly isDefault?: boolean | undefined
  readonly cell: Cell
  readonly policy: Model['policy']
}

/** The feedback of the bare cell. */
const NO_FEEDBACK: Feedback = { knows: () => false, next: () => {} }

export function createModel ({ name, isDefault = false, cell, policy }: ModelParts, { engine, maxSteps, batchRows, admission, meter }: ModelHouse): Model {
  const { sizes } = cell
  const { I, Hi, Ho } = sizes
  const scheduler = createScheduler(createBatch(engine.load(cell), sizes, batchRows), meter)

  /** Lays out the work of a request; the policy feeds its first step, but where the request does. */
  function layOut (request: StepRequest, outline: Outline, feedback: Feedback, output: Float32Array | undefined): Work {
    const { rows, steps, lengths, xStep } = outline
    const work: Work = {
      rows,
      steps,
      lengths,
      x: request.x.data,
      xRow: xStep === 0 ? I : steps * I,
      xStep,
      hIn: expandState(request.h_in, 'h_in', rows, Hi),
      h: new Float32Array(rows * Ho),
      c: expandState(request.c_in, 'c_in', rows, Ho),
      output,
      feedback
    }
    if (request.h_in === undefined && feedback.knows(0)) {
      for (let row = 0; row < rows; row++) feedback.next(row, 0, work.h, row * Ho, work.hIn, row * Hi)
    }
    return work
  }

  /** Takes a request through its steps, where there is room for it; `answered` counts the numbers of the answer. */
  async function compute (request: StepRequest, outline: Outline, feedback: Feedback, answered: number, caller: Caller): Promise<Work> {
    const { rows } = outline
    const bytes = Float32Array.BYTES_PER_ELEMENT * (request.x.data.length + rows * (Hi + 2 * Ho) + answered)
    admission.enter(rows, bytes)
    try {
      const work = layOut(request, outline, feedback, answered === 0 ? undefined : new Float32Array(answered))
      await scheduler.run(work, caller)
      return work
    } finally {
      admission.leave(rows, bytes)
    }
  }

  function needsPolicy (steps: number): Refusal {
    return unprocessable('/x', `${steps} steps need a feedback policy to make each h_in (Hi = ${Hi}) of the last h_out (Ho = ${Ho}), ` +
      'and this model has none: send one step at a time, to /step, or give the model a policy in its config.json')
  }

  return {
    name,
    isDefault,
    sizes,
    policy,
    engine: { name: engine.name, backend: engine.backend },
    parameters: countParameters(cell),

    step: (request, caller = patientCaller()) => naming(name, async () => {
      const outline = outlineStep(request, sizes)
      checkRows(outline, maxSteps)
      return statesOf(await compute(request, outline, NO_FEEDBACK, 0, caller), outline, Ho)
    }),

    sequence: (request, caller = patientCaller()) => naming(name, async () => {
      const outline = outlineSequence(request, sizes, maxSteps)
      const { rows, steps, batched } = outline
      const last = request.return === 'last'
      if (!last) checkAnswerSize(rows * steps * Ho, '/x')
      const feedback = policy.policy.bind(request.context ?? {}, outline)
      if (steps > 1 && !feedback.knows(1)) throw needsPolicy(steps)
      const work = await compute(request, outline, feedback, last ? 0 : rows * steps * Ho, caller)
      const states = statesOf(work, outline, Ho)
      return {
        output: work.output === undefined ? states.h_out : new Tensor(batched ? [rows, steps, Ho] : [steps, Ho], work.output),
        ...states,
        ...(feedback.knows(steps) && { h_next: new Tensor(batched ? [rows, Hi] : [Hi], work.hIn) }),
        ...(feedback.weights !== undefined && { weights: feedback.weights })
      }
    })
  }
}

function statesOf ({ rows, h, c }: Work, { batched }: Outline, Ho: number): StepAnswer {
  const shape = batched ? [rows, Ho] : [Ho]
  return { h_out: new Tensor(shape, h), c_out: new Tensor(shape, c) }
}

function checkRows ({ rows }: Outline, maxSteps: number): void {
  if (rows > maxSteps) throw unprocessable('/x', `${rows} rows are more than the ${maxSteps} steps allowed in one request`)
}

/** Has every refusal say which model refuses. */
async function naming<T> (model: string, answer: () => Promise<T>): Promise<T> {
  try {
    return await answer()
  } catch (error) {
    if (error instanceof Refusal) error.model = model
    throw error
  }
}
