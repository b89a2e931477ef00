import type { Admission } from '../scheduler/admission.ts'
import { createOutputWindow, type WindowReader } from '../scheduler/output-window.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { stepAnswer, type SequenceStep } from './answers.ts'
import type { Call } from './call.ts'
import type { LoadedModel } from './loaded-model.ts'
import type { Plan, StepPlan, Work } from './plan.ts'
import type { SequenceRequest, StepRequest } from './request.ts'
import { readSteps } from './stream.ts'
import { serveSequence, serveStep, type Served } from './tasks.ts'

/** Runs plans, if admission accepts them. */
export interface Runner {
  /** A step of the bare network. @throws InputError */
  step (request: StepRequest, plan: StepPlan, call: Call): Promise<Served>
  /** @throws InputError */
  sequence (request: SequenceRequest, plan: Plan, call: Call): Promise<Served>
  /** Yields a sequence as it is computed, a few steps at a time; yields none if only the last is asked for. @throws InputError */
  steps (request: SequenceRequest, plan: Plan, call: Call): AsyncGenerator<readonly SequenceStep[], Served>
}

export function createRunner (model: LoadedModel, scheduler: Scheduler, admission: Admission): Runner {
  const { shape } = model

  /** Runs the task that `serve` creates. Its memory is counted before it is allocated. */
  async function run ({ outline: { rows }, bytes }: Work, call: Call, serve: () => Served): Promise<Served> {
    const reservation = call.reservation ?? admission.reserve()
    reservation.enter(rows)
    let served: Served | undefined
    try {
      reservation.hold(bytes)
      served = serve()
      await scheduler.run(served.task)
      return served
    } finally {
      served?.dispose()
      reservation.leave(rows)
      if (call.reservation === undefined) reservation.release()
    }
  }

  /** Undefined with two directions: the backward one computes the first step last. */
  function windowOf (request: SequenceRequest, { outline: { steps, lengths }, room }: Plan): WindowReader | undefined {
    if (request.return_sequences === false || shape.directions === 2) return undefined
    return createOutputWindow(steps, lengths, room)
  }

  return {
    step: (request, plan, call) => run(plan, call, () => serveStep(plan.queue, shape, request, plan.outline, call)),

    sequence: (request, plan, call) => run(plan, call, () => serveSequence(model, request, plan, call)),

    async * steps (request, plan, call) {
      const { outline } = plan
      const window = windowOf(request, plan)
      let served: Served | undefined
      const done = run(plan, call, () => {
        served = serveSequence(model, request, plan, call, window)
        return served
      })
      if (window !== undefined && served !== undefined) yield * readSteps(served, window, done, outline, call)
      const whole = await done
      if (request.return_sequences !== false && window === undefined) {
        for (let t = 0; t < outline.steps; t++) yield [stepAnswer(whole, t, outline)]
      }
      return whole
    }
  }
}
