import type { LoadedNetwork } from '../engine/engine.ts'
import type { Program } from '../engine/program.ts'
import { partsOf } from '../network/feed.ts'
import type { Wiring } from '../network/network.ts'
import { findSlice } from '../network/state.ts'
import { States } from '../network/states.ts'
import type { Call } from '../scheduler/cancellation.ts'
import type { OutputWindow } from '../scheduler/output-window.ts'
import type { StageQueue } from '../scheduler/stage-queue.ts'
import type { Kept, Pass, Sink, Stream, Task } from '../scheduler/task.ts'
import type { Context } from './context.ts'
import type { HostedRequest, Policy } from './policies/policy.ts'
import { expandState, type Outline, type SequenceRequest, type StepRequest } from './request.ts'

/** A task made from a request, and the tensors that its answer is made from. */
export interface Served {
  readonly task: Task
  /** Of the last stage. */
  readonly states: States
  /** Outputs, if they are asked for. */
  readonly output: Kept | undefined
  /** Attention weights, likewise. */
  readonly attention: Kept | undefined
  /** The slice of the state that is `h_next`, if the server knows it once the task is done. */
  readonly next: string | undefined
  dispose (): void
}

/** A step of the bare network. */
export function serveStep (queue: StageQueue, request: StepRequest, outline: Outline, call: Call): Served {
  const { rows, lengths } = outline
  const { program } = queue
  const states = new States(program.state, rows)
  states.set(nextSlice(program), expandState(request.h_in, 'h_in', rows, hiddenWidth(program)))
  states.set('c0', expandState(request.c_in, 'c_in', rows, widthOf(program, 'c0')))
  const pass: Pass = { queue, state: states.data, inputs: [xStream(request, outline)], sinks: [], peek: false }
  return { task: { rows, lengths, passes: [pass], call }, states, output: undefined, attention: undefined, next: undefined, dispose () {} }
}

/** What a sequence needs beside its request. */
export interface SequenceSetting {
  readonly network: LoadedNetwork
  readonly queue: StageQueue
  readonly policy: Policy
  readonly context: Context
  readonly host: HostedRequest | undefined
  readonly states: States
  /** How many steps of output are kept; 0 if none is asked for. */
  readonly entries: number
  readonly window?: OutputWindow | undefined
}

/** A sequence through a wired stage. */
export function serveSequence (request: SequenceRequest, outline: Outline, setting: SequenceSetting, call: Call): Served {
  const { network, queue, policy, context, host, states, entries, window } = setting
  const { rows, steps, lengths } = outline
  const { program } = queue
  const { wiring } = program.stage
  const given = request.h_in !== undefined
  states.set(nextSlice(program), expandState(request.h_in, 'h_in', rows, hiddenWidth(program)))
  states.set('c0', expandState(request.c_in, 'c_in', rows, widthOf(program, 'c0')))
  if (given && program.late) states.set('given', new Float32Array(rows).fill(1))

  const output = entries === 0 ? undefined : createKept(rows, entries, program.outputs[0].width)
  const attention = context.weights && context.support !== undefined
    ? createKept(rows, window === undefined ? steps + 1 : entries + 1, Math.max(...context.support.counts))
    : undefined
  const memory = context.support === undefined ? undefined : network.remember(0, context.support.data, context.support.counts)
  const sinks: Sink[] = output === undefined ? [] : [{ output: 0, data: output.data, entries, shift: 0 }]
  const next = policy.wiring === undefined ? undefined : nextOf(program, context)
  const pass: Pass = {
    queue,
    state: states.data,
    inputs: program.inputs.map(({ name }) => streamOf(name, request, outline, context)),
    sinks,
    memory,
    attention,
    start: startOf(program, wiring, given),
    peek: program.late && next !== undefined,
    ...(host !== undefined && { host: { feed: host.feed, first: !given } })
  }
  return {
    task: { rows, lengths, passes: [pass], call, window },
    states,
    output,
    attention,
    get next () { return host?.next === false ? undefined : next },
    dispose () {
      memory?.dispose()
      host?.close()
    }
  }
}

/** Which instructions make what feeds the first step. */
function startOf ({ read, feed, instructions }: Program, wiring: Wiring, given: boolean): Pass['start'] {
  const end = given ? feed : instructions.length
  // What is made for h_in alone is not needed if the request gives that.
  const from = given && !feedsX(wiring) ? feed : read
  return from < end ? { from, to: end } : undefined
}

/** Whether x is made from more than what comes with the step. */
function feedsX ({ x, read, lets }: Wiring): boolean {
  const made = new Set([...(read === undefined ? [] : ['read']), ...lets.map(({ name }) => name)])
  return [...partsOf(x)].some((name) => made.has(name))
}

/** The slice that is `h_next`: what the first node reads next, if that can be told without the client. */
function nextOf (program: Program, { vectors }: Context): string | undefined {
  return !program.late || vectors?.stepStride === 0 ? nextSlice(program) : undefined
}

/** The slice of the state that the first node reads as its h. */
export function nextSlice (program: Program): string {
  return program.stage.wiring.h === 'own' ? 'h0' : 'h_in'
}

export function hiddenWidth (program: Program): number {
  return widthOf(program, nextSlice(program))
}

function widthOf ({ state }: Program, name: string): number {
  return findSlice(state, name)?.width ?? 0
}

function streamOf (name: string, request: SequenceRequest, outline: Outline, { vectors }: Context): Stream {
  if (name !== 'vectors') return xStream(request, outline)
  if (vectors === undefined) throw new Error('the wiring needs vectors, and the context has none')
  return vectors
}

function xStream ({ x }: StepRequest, { steps, xStep }: Outline): Stream {
  const I = x.shape[x.rank - 1]
  return { data: x.data, rowStride: xStep === 0 ? I : steps * I, stepStride: xStep }
}

function createKept (rows: number, entries: number, width: number): Kept {
  return { data: new Float32Array(rows * entries * width), entries, width }
}
