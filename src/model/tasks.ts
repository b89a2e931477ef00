import { lateness, type Program } from '../engine/program.ts'
import { partsOf, type Feed } from '../network/feed.ts'
import type { Stage } from '../network/network.ts'
import type { States } from '../network/states.ts'
import type { OutputWindow } from '../scheduler/output-window.ts'
import type { StageQueue } from '../scheduler/stage-queue.ts'
import type { Kept, Pass, Stream, Task } from '../scheduler/task.ts'
import type { Call } from './call.ts'
import type { Context } from './context.ts'
import { keepOutputs, keepParts, keepY, keptEntriesOfY, keptStream, lastStream, outputSinks, partSinks, ySinks, type KeptPart } from './kept-steps.ts'
import { keepRows, type KeptRow } from './kept-row.ts'
import type { LoadedModel } from './loaded-model.ts'
import { FORWARD, FORWARD_LAST, type Shape } from './network.ts'
import type { Plan } from './plan.ts'
import type { HostedRequest, OpenHost, Policy } from './policies/policy.ts'
import type { Outline, SequenceRequest, StepRequest } from './request.ts'
import { beginBareRows, beginRows, goOn, setFirstX } from './rows.ts'
import { stepsOf, vectorAt } from './steps.ts'

/** A task made from a request, and the tensors that its answer is made from. */
export interface Served {
  readonly task: Task
  /** One per pass. */
  readonly states: readonly States[]
  /** `[B, entries, D * Ho]`, if outputs are kept. */
  readonly output: Kept | undefined
  /** `[B, entries, K]`, if y is kept. */
  readonly y: Kept | undefined
  /** `[B, 1, K]` instead, if y is computed once per row. */
  readonly yOnce?: Kept | undefined
  readonly parts: ReadonlyMap<string, KeptPart>
  /** The slices of the states that are `h_next`, if the server knows it. Call it once the task is done. */
  next (): 'h' | 'h_in' | undefined
  /** The rows once the task is done, to continue from later; the first stage holds all their state. */
  keep (): KeptRow[]
  dispose (): void
}

/** A step of the bare network. */
export function serveStep (queue: StageQueue, shape: Shape, request: StepRequest, outline: Outline, call: Call): Served {
  const { rows, lengths } = outline
  const states = beginBareRows(request, queue.program, shape, rows)
  const y = keepY(shape.step.y, rows, 1)
  const inputs = queue.program.inputs.map(() => stepsOf(request, outline, shape.step))
  const pass: Pass = { queue, state: states[0].data, inputs, sinks: ySinks(y, queue.program), peek: false }
  return { task: { rows, lengths, passes: [pass], call, field: outline.field }, states, output: undefined, y, parts: new Map(), next: () => undefined, keep: () => [], dispose () {} }
}

/** A sequence through all stages. */
export function serveSequence ({ network, shape, queues, policy }: LoadedModel, request: SequenceRequest, plan: Plan, call: Call, window?: OutputWindow): Served {
  const { outline, context, from, memory } = plan
  const { rows, lengths } = outline
  const programs = queues.map(({ program }) => program)
  const { states, before, given, seen } = from === undefined ? beginRows(request, programs, shape, policy, rows) : goOn(from, programs[0])
  const x = stepsOf(request, outline, shape.sequence)
  // Rows that have already taken a step hold everything that feeds the next one.
  const begun = before[0] > 0
  if (!begun && policy.initial === 'x' && !seen) setFirstX(states[0], shape, programs[0], rows, x)

  const parts = keepParts(plan.parts, rows)
  const outputs = keepOutputs(programs, shape, outline, plan.entries)
  const y = keepY(shape.sequence.y, rows, keptEntriesOfY(shape, outline, plan.yEntries))
  const next = nextOf(programs[0], shape, policy, context)
  const own = context.support === undefined || memory !== undefined ? undefined : network.remember(0, context.support.data, context.support.counts)
  const host = policy.host === undefined ? undefined : openHost(policy.host, request, outline, states[0], before, x, shape.sequence.width, call)
  const passes = queues.map((queue, i): Pass => {
    const { program } = queue
    const layer = Math.floor(i / shape.directions)
    const sinks = [...outputSinks(outputs, programs, shape, i), ...ySinks(y, program), ...partSinks(parts, program, i)]
    const inputs = program.inputs.map(({ name }): Stream => {
      if (name === 'x') return x
      if (name === 'vectors') return vectorsOf(context)
      if (name === FORWARD_LAST) return lastStream(states[i - 1], programs[i - 1])
      // This layer's forward output, or the previous layer's output.
      return keptStream(outputs[name === FORWARD ? layer : layer - 1])
    })
    const state = states[i].data
    if (i > 0) return { queue, state, inputs, sinks, peek: false }
    const first: Pass = {
      queue,
      state,
      inputs,
      sinks,
      memory: own ?? memory,
      attention: parts.get('attention')?.kept,
      start: begun ? lookOf(program, parts) : startOf(program, policy, given),
      looks: begun,
      peek: program.late && next !== undefined
    }
    return host === undefined ? first : { ...first, host: { feed: host.feed, first: begun || !given } }
  })
  return {
    task: { rows, lengths, passes, call, field: outline.field, window },
    states,
    output: outputs.at(-1),
    y: shape.sequence.once ? undefined : y,
    yOnce: shape.sequence.once ? y : undefined,
    parts,
    next: () => host?.next === false ? undefined : next,
    keep: () => keepRows(states[0], before, lengths, programs[0].late || host !== undefined),
    dispose () {
      own?.dispose()
      host?.close()
    }
  }
}

/** Rows that continue already have their read, but not its attention weights, which are their first entry of `attention`. */
function lookOf ({ read, feed }: Program, parts: ReadonlyMap<string, KeptPart>): Pass['start'] {
  return read < feed && [...parts.values()].some(({ part: { next } }) => next) ? [{ from: read, to: feed }] : undefined
}

/** The instructions that compute what feeds the first step. */
function startOf ({ read, y, lets, feed, end, stage }: Program, { initial }: Policy, given: boolean): Pass['start'] {
  const to = given ? feed : end
  // What is computed only for h_in is not needed if the request gives it.
  const parts = !given || isReadBeforeCells(stage)
  // Some wirings start without a read and lets; y is computed either way.
  const ranges = initial === 'no-read' ? [{ from: parts ? y : lets, to: lets }, { from: feed, to }] : [{ from: parts ? read : feed, to }]
  const some = ranges.filter((range) => range.from < range.to)
  return some.length > 0 ? some : undefined
}

/** Whether y, a read, or a let computed at the end of a step feeds more than h_in. */
function isReadBeforeCells (stage: Stage): boolean {
  const { x, lets } = stage.wiring
  const isLate = lateness(stage)
  const kept = new Set(['read', 'y', ...lets.filter(({ feed }) => !isLate(feed)).map(({ name }) => name)])
  return [x, ...lets.filter(({ feed }) => isLate(feed)).map(({ feed }) => feed)].some((feed) => [...partsOf(feed)].some((name) => kept.has(name)))
}

/** What `h_next` is, if the server knows it without the client: what the first node reads next, or all nodes' own h. */
function nextOf (program: Program, { directions }: Shape, { wiring }: Policy, { vectors }: Context): 'h' | 'h_in' | undefined {
  if (wiring === undefined || directions === 2) return undefined
  const { h } = program.stage.wiring
  if (h === 'own') return 'h'
  if (!program.late || typeof h === 'string') return 'h_in'
  return vectors?.stepStride === 0 && !inputsOf(h, program.stage).has('x') ? 'h_in' : undefined
}

/** The inputs that a feed is computed from, directly or through lets. */
function inputsOf (feed: Feed, stage: Stage): Set<string> {
  const names = new Set<string>()
  for (const name of partsOf(feed)) {
    const made = stage.wiring.lets.find((each) => each.name === name)
    if (made !== undefined) for (const inner of inputsOf(made.feed, stage)) names.add(inner)
    else if (stage.inputs.some((input) => input.name === name)) names.add(name)
  }
  return names
}

function openHost (open: OpenHost, { context = {} }: SequenceRequest, { lengths }: Outline, states: States, before: readonly number[], x: Stream, width: number, call: Call): HostedRequest {
  return open(context, {
    lengths,
    before,
    state: (row, name) => states.of(row, name),
    x: (row, t) => t >= lengths[row] && x.stepStride > 0 ? undefined : vectorAt(x, width, row, t)
  }, call)
}

function vectorsOf ({ vectors }: Context): Stream {
  if (vectors === undefined) throw new Error('the wiring needs vectors, and the context has none')
  const { tensor, rowStride, stepStride } = vectors
  return { data: tensor.data, rowStride, stepStride }
}
