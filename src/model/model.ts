import { countParameters, type Cell, type CellSizes } from '../network/cell.ts'
import type { Engine } from '../engine/engine.ts'
import { InputError, unprocessable } from '../errors.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Admission } from '../scheduler/admission.ts'
import { createBatch } from '../scheduler/batch.ts'
import { patientCaller, type Caller } from '../scheduler/cancellation.ts'
import type { Feedback, Policy } from './policies/policy.ts'
import { checkAnswerSize } from './limits.ts'
import type { Meter } from '../scheduler/meter.ts'
import { createPace, type Pace } from '../scheduler/output-window.ts'
import { expandState, outlineSequence, outlineStep, type Outline, type SequenceRequest, type StepRequest } from './request.ts'
import { createScheduler } from '../scheduler/scheduler.ts'
import { readSteps, streamRoom, type SequenceStep } from './stream.ts'
import type { Work } from '../scheduler/task.ts'

/** A cell, its policy, its rows. */
export interface Model {
  readonly name: string
  /** Its config.json says that it answers where a request names none. */
  readonly isDefault: boolean
  readonly sizes: CellSizes
  readonly policy: { readonly name: string, readonly policy: Policy }
  readonly engine: Pick<Engine, 'name' | 'backend'>
  readonly parameters: number
  /** One step of the bare cell. @throws InputError */
  step (request: StepRequest, caller?: Caller): Promise<StepAnswer>
  /** Many steps with the policy's feedback between them. @throws InputError */
  sequence (request: SequenceRequest, caller?: Caller): Promise<SequenceAnswer>
  /**
   * The same, told while it is computed: the steps, some at a time, then the states. It goes no faster than it is read.
   *
   * @throws InputError, the first time that it is asked or later.
   */
  stream (request: SequenceRequest, caller?: Caller): AsyncGenerator<ReadonlyArray<SequenceStep | SequenceStates>, void>
}

/** `[B][Ho]`, or `[Ho]` where the request's `x` has no batch dimension. */
export interface StepAnswer {
  readonly h_out: Tensor
  readonly c_out: Tensor
}

/** Where a sequence has come to. */
export interface SequenceStates extends StepAnswer {
  /** `[B][Hi]`: what the policy would feed to the next step; left out where only the client knows. */
  readonly h_next?: Tensor
}

export interface SequenceAnswer extends SequenceStates {
  /** `[B][T][Ho]`, or `[B][Ho]` of the last steps. */
  readonly output: Tensor
  /** `[B][T][N]`, where the request asked for attention weights. */
  readonly weights?: Tensor
}

/** What all models of a process share. */
export interface ModelDeps {
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

/** What becomes of a request's steps. */
interface Plan {
  readonly feedback: Feedback
  /** How many steps of output are kept; 0 where none is asked for. */
  readonly outputSteps: number
  readonly pace?: Pace | undefined
}

/** The feedback of the bare cell. */
const NO_FEEDBACK: Feedback = { knows: () => false, next: () => {} }

export function createModel ({ name, isDefault = false, cell, policy }: ModelParts, { engine, maxSteps, batchRows, admission, meter }: ModelDeps): Model {
  const { sizes } = cell
  const { I, Hi, Ho } = sizes
  const scheduler = createScheduler(name, createBatch(engine.load(cell), sizes, batchRows), meter)

  /** Lays out the work of a request; the policy feeds its first step, but where the request does. */
  function layOut (request: StepRequest, { rows, steps, lengths, xStep }: Outline, { feedback, outputSteps, pace }: Plan): Work {
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
      output: outputSteps === 0 ? undefined : new Float32Array(rows * outputSteps * Ho),
      outputSteps,
      pace,
      feedback
    }
    if (request.h_in === undefined && feedback.knows(0)) {
      for (let row = 0; row < rows; row++) feedback.next(row, 0, work.h, row * Ho, work.hIn, row * Hi)
    }
    return work
  }

  /** Starts on a request, where there is room for it. */
  function start (request: StepRequest, outline: Outline, plan: Plan, caller: Caller): { work: Work, done: Promise<void> } {
    const { rows } = outline
    const bytes = Float32Array.BYTES_PER_ELEMENT * (request.x.data.length + rows * (Hi + (2 + plan.outputSteps) * Ho))
    admission.enter(rows, bytes)
    try {
      const work = layOut(request, outline, plan)
      return { work, done: scheduler.run(work, caller).finally(() => admission.leave(rows, bytes)) }
    } catch (error) {
      admission.leave(rows, bytes)
      throw error
    }
  }

  async function compute (request: StepRequest, outline: Outline, plan: Plan, caller: Caller): Promise<Work> {
    const { work, done } = start(request, outline, plan, caller)
    await done
    return work
  }

  function bind ({ context = {} }: SequenceRequest, outline: Outline): Feedback {
    const feedback = policy.policy.bind(context, outline)
    if (outline.steps > 1 && !feedback.knows(1)) throw needsPolicy(outline.steps)
    return feedback
  }

  function needsPolicy (steps: number): InputError {
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
      return statesOf(await compute(request, outline, { feedback: NO_FEEDBACK, outputSteps: 0 }, caller), outline, sizes)
    }),

    sequence: (request, caller = patientCaller()) => naming(name, async () => {
      const outline = outlineSequence(request, sizes, maxSteps)
      const { rows, steps, batched } = outline
      const outputSteps = request.return === 'last' ? 0 : steps
      checkAnswerSize(rows * outputSteps * Ho, '/x')
      const feedback = bind(request, outline)
      const work = await compute(request, outline, { feedback, outputSteps }, caller)
      const states = statesOf(work, outline, sizes)
      return {
        output: work.output === undefined ? states.h_out : new Tensor(batched ? [rows, steps, Ho] : [steps, Ho], work.output),
        ...states,
        ...(feedback.weights !== undefined && { weights: feedback.weights })
      }
    }),

    stream: (request, caller = patientCaller()) => namingStream(name, async function * () {
      const outline = outlineSequence(request, sizes, maxSteps)
      const feedback = bind(request, outline)
      const room = request.return === 'last' ? 0 : streamRoom(outline, Ho)
      const pace = room === 0 ? undefined : createPace(outline, room)
      const { work, done } = start(request, outline, { feedback, outputSteps: room, pace }, caller)
      if (pace !== undefined) yield * readSteps(work, pace, done, outline, caller)
      await done
      yield [statesOf(work, outline, sizes)]
    })
  }
}

function statesOf ({ rows, steps, h, c, hIn, feedback }: Work, { batched }: Outline, { Hi, Ho }: CellSizes): SequenceStates {
  const shape = batched ? [rows, Ho] : [Ho]
  return {
    h_out: new Tensor(shape, h),
    c_out: new Tensor(shape, c),
    ...(feedback.knows(steps) && { h_next: new Tensor(batched ? [rows, Hi] : [Hi], hIn) })
  }
}

function checkRows ({ rows }: Outline, maxSteps: number): void {
  if (rows > maxSteps) throw unprocessable('/x', `${rows} rows are more than the ${maxSteps} steps allowed in one request`)
}

/** Has every refusal say which model refuses. */
async function naming<T> (model: string, answer: () => Promise<T>): Promise<T> {
  try {
    return await answer()
  } catch (error) {
    throw named(error, model)
  }
}

async function * namingStream<T> (model: string, answer: () => AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  try {
    yield * answer()
  } catch (error) {
    throw named(error, model)
  }
}

function named (error: unknown, model: string): unknown {
  if (error instanceof InputError) error.model = model
  return error
}
