import type { Memory } from '../engine/engine.ts'
import { unprocessable, type InputError } from '../errors.ts'
import type { StageQueue } from '../scheduler/stage-queue.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { createContextReader, type Context } from './context.ts'
import { checkGoesOn, readRows, wantsState, type Going } from './going-on.ts'
import { keptEntriesOfY, outputWidth } from './kept-steps.ts'
import type { KeptRow } from './kept-row.ts'
import { answerBytes, checkAnswerSize } from './limits.ts'
import type { LoadedModel } from './loaded-model.ts'
import { askParts, type PlannedPart } from './parts.ts'
import { outlineOneRow, outlineSequence, outlineStep, type Outline, type SequenceRequest, type StepRequest } from './request.ts'
import { streamRoom } from './stream.ts'

/** What a request computes, and how many bytes that takes. */
export interface Work {
  readonly outline: Outline
  readonly bytes: number
}

/** A step of the bare network. */
export interface StepPlan extends Work {
  readonly queue: StageQueue
}

/** A sequence, and how many of its steps are kept. */
export interface Plan extends Work {
  readonly context: Context
  /** The rows that continue; if undefined, rows begin from what the request gives. */
  readonly from: readonly KeptRow[] | undefined
  /** The context's support as an engine reads it, if it is kept between requests. */
  readonly memory: Memory | undefined
  /** How many steps of output are kept; 0 if none. */
  readonly entries: number
  /** How many entries of y are kept; a single one is the last. */
  readonly yEntries: number
  /** The parts that are asked for. */
  readonly parts: readonly PlannedPart[]
  /** How many steps there is room for before the client reads them. */
  readonly room: number
}

/** Checks requests against a model's sizes and the service's limits, before anything is allocated for them. */
export interface Planner {
  /** @throws InputError */
  step (request: StepRequest): StepPlan
  /**
   * @param streamed whether steps are answered as they are computed, so that only unread steps are kept.
   * @param going the kept row that continues, if there is one.
   * @throws InputError
   */
  sequence (request: SequenceRequest, streamed: boolean, going?: Going): Plan
}

/** The limits for one request. */
export interface RequestBounds {
  /** The largest B x T. */
  readonly maxSteps: number
  /** The most multiply-adds. */
  readonly maxWork: number
}

const BYTES = Float32Array.BYTES_PER_ELEMENT

export function createPlanner ({ shape, policy, parts, queues, bare, tokens }: LoadedModel, { maxSteps, maxWork }: RequestBounds): Planner {
  const [{ program }] = queues
  const [{ cell: { kind } }] = program.stage.nodes
  const readContext = createContextReader(policy)
  const stateWidth = queues.reduce((sum, queue) => sum + queue.program.state.width, 0)

  function needsPolicy (steps: number, field: string): InputError {
    return unprocessable(field, `${steps} steps need a feedback policy to make each h_in (Hi = ${shape.Hi}) from the last h_out (Ho = ${shape.Ho}), ` +
      'and this model has none: send one step at a time, to /step, or give the model a policy in its config.json')
  }

  function checkWork ({ rows, steps, field }: Outline, { support }: Context): void {
    const supports = support === undefined ? 0 : Math.max(...support.counts)
    const step = queues.reduce((sum, queue) => sum + queue.program.work, supports * program.readWork)
    const work = rows * (steps + 1) * step
    if (work <= maxWork) return
    throw unprocessable(supports === 0 ? field : '/context/support', `${rows} rows of ${steps} steps${supports === 0 ? '' : `, each reading ${supports} supports,`} are ` +
      `${work} multiply-adds, more than the ${maxWork} allowed in one request`)
  }

  /** Bytes of a request's memory, its states, and its kept steps. The request's own data is already counted, except for padding. */
  function bytesOf (request: SequenceRequest, { outline, context, entries, yEntries, parts: asked }: Omit<Plan, 'bytes'>, streamed: boolean): number {
    const { rows, steps, repeated } = outline
    const { support, vectors } = context
    const total = support?.counts.reduce((a, b) => a + b, 0) ?? 0
    // A memory contains the raw supports, their keys and their values.
    const held = paddingOf(request.x) + paddingOf(vectors?.tensor) + total * program.readWork
    // Steps that are streamed are copied as they are read.
    const copies = streamed ? 2 : 1
    const parts = copies * asked.reduce((sum, { entries, width }) => sum + entries * width, 0)
    const outputs = shape.directions === 2 ? steps * queues.reduce((sum, queue) => sum + outputWidth(queue.program), 0) : entries * shape.output
    const ys = keptEntriesOfY(shape, outline, yEntries) * shape.sequence.y
    // The row numbers in the embedding that ids stand for.
    const places = request.ids === undefined ? 0 : rows * (repeated ? 1 : steps)
    const kept = wantsState(request) ? 3 * rows * tokens.bytes : 0
    return kept + BYTES * (held + places + rows * stateWidth) + answerBytes(rows * (outputs + ys + parts + shape.hIn + shape.hOut + 2 * shape.c))
  }

  return {
    step (request) {
      if (request.context !== undefined) throw unprocessable('/context', 'is for a step with state: without it, a step runs the bare network, which reads no context')
      if (bare === undefined) throw unprocessable('', 'the network has two directions, and the backward one starts from the end: send the whole sequence to /sequence')
      const outline = outlineStep(request, shape)
      const { rows, field } = outline
      if (rows > maxSteps) throw unprocessable(field, `${rows} rows are more than the ${maxSteps} steps allowed in one request`)
      const { y } = shape.step
      checkAnswerSize(rows * y, field)
      const places = request.ids === undefined ? 0 : rows
      return { outline, queue: bare, bytes: BYTES * (places + rows * bare.program.state.width) + answerBytes(rows * (y + shape.hIn + shape.hOut + 2 * shape.c)) }
    },

    sequence (request, streamed, going) {
      if (wantsState(request)) checkGoesOn(shape, policy, '/state')
      const asked = outlineSequence(request, shape, maxSteps)
      const outline = going === undefined ? asked : outlineOneRow(asked)
      const context = going?.context?.context ?? readContext(request.context === undefined ? {} : request.context, outline)
      const from = going === undefined ? readRows(request, outline, tokens) : [going.row]
      const { rows, steps, field } = outline
      if (steps > 1 && policy.wiring === undefined && shape.hIn !== shape.hOut) throw needsPolicy(steps, field)
      checkWork(outline, context)
      const all = request.return_sequences !== false
      const asksFor = (name: string): boolean => request.fields?.includes(name) !== false
      const y = asksFor('y') ? shape.sequence.y : 0
      const askedParts = askParts(request.parts ?? [], parts, kind, context)
      const room = streamed ? streamRoom(outline, askedParts.reduce((sum, { width }) => sum + width, shape.output + y)) : steps
      // Outputs that are not among the fields are not answered.
      const entries = all && asksFor('output') ? room : 0
      const yEntries = y === 0 ? 0 : all && !shape.sequence.once ? room : 1
      const keptParts = askedParts.map((each) => ({ ...each, entries: all ? room + (each.part.next ? 1 : 0) : 1, last: !all }))
      checkAnswerSize(rows * Math.max(entries * shape.output, yEntries * y), field)
      for (const [i, { entries, width }] of keptParts.entries()) checkAnswerSize(rows * entries * width, `/parts/${i}`)
      const plan = { outline, context, from, memory: going?.context?.memory, entries, yEntries, parts: keptParts, room, bytes: 0 }
      plan.bytes = bytesOf(request, plan, streamed)
      return plan
    }
  }
}

/** Numbers that are allocated when ragged rows are padded. */
function paddingOf (tensor: Tensor | undefined): number {
  return tensor?.lengths === undefined ? 0 : tensor.size
}
