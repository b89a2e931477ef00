import type { LoadedNetwork } from '../engine/engine.ts'
import { lateness, type Program } from '../engine/program.ts'
import { unprocessable } from '../errors.ts'
import { partsOf, type Feed } from '../network/feed.ts'
import type { Stage } from '../network/network.ts'
import { findSlice } from '../network/state.ts'
import { States } from '../network/states.ts'
import type { OutputWindow } from '../scheduler/output-window.ts'
import type { StageQueue } from '../scheduler/stage-queue.ts'
import type { Memory } from '../engine/engine.ts'
import type { Kept, Pass, Sink, Stream, Task } from '../scheduler/task.ts'
import type { Call } from './call.ts'
import type { Context } from './context.ts'
import { keepRows, type KeptRow } from './kept-row.ts'
import { FORWARD, FORWARD_LAST, type Shape } from './network.ts'
import type { HostedRequest, OpenHost, Policy } from './policies/policy.ts'
import { expandState, type Outline, type SequenceRequest, type StepRequest } from './request.ts'
import { stepsOf, vectorAt } from './steps.ts'

/** A task made from a request, and the tensors that its answer is made from. */
export interface Served {
  readonly task: Task
  /** One per pass. */
  readonly states: readonly States[]
  /** `[B, entries, D * Ho]`, if outputs are kept. */
  readonly output: Kept | undefined
  /** `[B, entries, K]`, if y is. */
  readonly y: Kept | undefined
  /** `[B, 1, K]` in its place, if y is made once a row. */
  readonly yOnce?: Kept | undefined
  readonly parts: ReadonlyMap<string, KeptPart>
  /** The slices of the states that are `h_next`, if the server knows it once the task is done. */
  readonly next: 'h' | 'h_in' | undefined
  /** The rows as they are once the task is done, to go on from later; one stage has them all. */
  keep (): KeptRow[]
  dispose (): void
}

/** A part that is answered. */
export interface KeptPart {
  readonly kept: Kept
  /** Whether entry t is what fed step t and made as it began, so that there are T; otherwise there are T + 1. */
  readonly late: boolean
}

/** A step of the bare network. */
export function serveStep (queue: StageQueue, shape: Shape, request: StepRequest, outline: Outline, call: Call): Served {
  const { rows, lengths } = outline
  const states = [new States(queue.program.state, rows)]
  setStates(states, [queue.program], shape, request, rows)
  if (request.h_0 !== undefined) {
    if (!carriesH(queue.program, shape)) throw unprocessable('/h_0', 'a step reads it in a GRU whose Hi differs from its Ho alone')
    states[0].set('c0', expandState(request.h_0, 'h_0', rows, shape.Ho, 'Ho'))
  }
  const y = keepY(shape.step.y, rows, 1)
  const inputs = queue.program.inputs.map(() => stepsOf(request, outline, shape.step))
  const pass: Pass = { queue, state: states[0].data, inputs, sinks: ySinks(y, queue.program), peek: false }
  return { task: { rows, lengths, passes: [pass], call, field: outline.field }, states, output: undefined, y, parts: new Map(), next: undefined, keep: () => [], dispose () {} }
}

/** What a sequence needs beside its request. */
export interface SequenceSetting {
  readonly network: LoadedNetwork
  readonly shape: Shape
  /** The stages that it goes through. */
  readonly queues: readonly StageQueue[]
  readonly policy: Policy
  readonly context: Context
  /** How many steps of output are kept; 0 if none. */
  readonly entries: number
  /** How many of y; one is the last. */
  readonly yEntries: number
  /** How many entries of each part are kept; one is the last. */
  readonly partEntries: number
  readonly window?: OutputWindow | undefined
  /** The rows that go on; left out, they begin with what the request says. */
  readonly from?: readonly KeptRow[] | undefined
  /** The context's support as an engine reads it, if somebody keeps that. */
  readonly memory?: Memory | undefined
}

/** A sequence through all stages. */
export function serveSequence (request: SequenceRequest, outline: Outline, setting: SequenceSetting, call: Call): Served {
  const { network, shape, queues, policy, context, window, from } = setting
  const { rows, lengths } = outline
  const programs = queues.map(({ program }) => program)
  const { states, before, given, seen } = from === undefined ? beginRows(request, programs, shape, policy, rows) : goOn(from, programs[0])
  const x = stepsOf(request, outline, shape.sequence)
  // Rows that have taken a step already have all that feeds the next one.
  const begun = before[0] > 0
  if (!begun && policy.initial === 'x' && !seen) setFirstX(states[0], shape, programs[0], rows, x)

  const parts = keepParts(request.parts ?? [], programs[0], context, rows, setting.partEntries)
  const outputs = keepOutputs(programs, shape, outline, setting.entries)
  const y = keepY(shape.sequence.y, rows, keptEntriesOfY(shape, outline, setting.yEntries))
  const next = nextOf(programs[0], shape, policy, context)
  const own = context.support === undefined || setting.memory !== undefined ? undefined : network.remember(0, context.support.data, context.support.counts)
  const host = policy.host === undefined ? undefined : openHost(policy.host, request, outline, states[0], before, x, shape.sequence.width, call)
  const passes = queues.map((queue, i): Pass => {
    const { program } = queue
    const layer = Math.floor(i / shape.directions)
    const sinks = [...outputSinks(outputs, programs, shape, i), ...ySinks(y, program)]
    const inputs = program.inputs.map(({ name }): Stream => {
      if (name === 'x') return x
      if (name === 'vectors') return vectorsOf(context)
      if (name === FORWARD_LAST) return lastStream(states[i - 1], programs[i - 1])
      // What this layer has written forwards, or what the layer before has written.
      return keptStream(outputs[name === FORWARD ? layer : layer - 1])
    })
    const base = { queue, state: states[i].data, inputs, sinks }
    if (i > 0) return { ...base, peek: false }
    return {
      ...base,
      sinks: [...sinks, ...partSinks(parts, program)],
      memory: own ?? setting.memory,
      attention: parts.get('attention')?.kept,
      start: begun ? lookOf(program, parts) : startOf(program, policy, given),
      looks: begun,
      peek: program.late && next !== undefined,
      ...(host !== undefined && { host: { feed: host.feed, first: begun || !given } })
    }
  })
  return {
    task: { rows, lengths, passes, call, field: outline.field, window },
    states,
    output: outputs.at(-1),
    ...(shape.sequence.once ? { y: undefined, yOnce: y } : { y }),
    parts,
    get next () { return host?.next === false ? undefined : next },
    keep: () => keepRows(states[0], before, lengths, programs[0].late || host !== undefined),
    dispose () {
      own?.dispose()
      host?.close()
    }
  }
}

/** Puts the request's h_in and c_in in the states of the nodes. */
function setStates (states: readonly States[], programs: readonly Program[], shape: Shape, request: StepRequest, rows: number): void {
  if (request.c_in !== undefined && shape.c === 0) throw unprocessable('/c_in', 'this network has no c')
  const h = expandState(request.h_in, 'h_in', rows, shape.hIn, madeUp(shape, 'Hi'))
  const c = expandState(request.c_in, 'c_in', rows, shape.c, madeUp(shape, 'Ho'))
  let hAt = 0
  let cAt = 0
  for (const { stage, node } of shape.places) {
    const own = node > 0 || programs[stage].stage.wiring.h === 'own'
    hAt += states[stage].put(own ? `h${node}` : 'h_in', h, shape.hIn, hAt)
    if (shape.c > 0) cAt += states[stage].put(`c${node}`, c, shape.c, cAt)
  }
}

/** How the numbers of a state are made up, for messages. */
function madeUp ({ layers, directions }: Shape, size: string): string {
  if (layers * directions === 1) return size
  return `${layers} ${layers === 1 ? 'layer' : 'layers'}${directions === 2 ? ', 2 directions' : ''}: one vector each, in torch's order`
}

/** Rows before the first step of a task. */
interface Rows {
  /** One per pass. */
  readonly states: readonly States[]
  /** How many steps each row has taken. */
  readonly before: readonly number[]
  /** Before the first of all: whether h_in was given, and whether the h that the first feed sees was. */
  readonly given: boolean
  readonly seen: boolean
}

/** Rows as a request begins them. */
export function beginRows (request: SequenceRequest, programs: readonly Program[], shape: Shape, { wiring }: Policy, rows: number): Rows {
  const states = programs.map(({ state }) => new States(state, rows))
  setStates(states, programs, shape, request, rows)
  const [program] = programs
  const given = request.h_in !== undefined
  const ownGiven = program.stage.wiring.h === 'own' && given
  if (given && program.late) states[0].set('given', new Float32Array(rows).fill(1))
  if (request.h_0 !== undefined) {
    const carried = carriesH(program, shape)
    if (shape.directions === 2 || (wiring === undefined && !carried)) throw unprocessable('/h_0', 'nothing reads it: this model has no feedback that starts from it')
    const h = expandState(request.h_0, 'h_0', rows, shape.Ho, 'Ho')
    if (!ownGiven) states[0].set(lastOf(program), h)
    if (carried) states[0].set('c0', h)
  }
  return { states, before: new Array<number>(rows).fill(0), given, seen: request.h_0 !== undefined || ownGiven }
}

/**
 * Rows that go on from where they were.
 *
 * @throws InputError if some of them have taken a step and others have not, or they are to begin in different ways.
 */
function goOn (kept: readonly KeptRow[], { state }: Program): Rows {
  const [{ t, given, seen }] = kept
  const odd = kept.findIndex((row) => (row.t > 0) !== (t > 0) || (t === 0 && (row.given !== given || row.seen !== seen)))
  if (odd >= 0) throw unprocessable(`/state/${odd}`, 'cannot go on together with the first: a row that has taken no step yet begins as it was told to; send them apart')
  const states = new States(state, kept.length)
  kept.forEach((row, i) => { states.data.set(row.state, i * state.width) })
  return { states: [states], before: kept.map((row) => row.t), given, seen }
}

/** The first feed sees the first x as its h. */
function setFirstX (states: States, { Ho }: Shape, program: Program, rows: number, x: Stream): void {
  const h = new Float32Array(rows * Ho)
  for (let row = 0; row < rows; row++) h.set(vectorAt(x, Ho, row, 0), row * Ho)
  states.set(lastOf(program), h)
}

/** Where the state has the last node's output. */
function lastOf ({ stage: { nodes } }: Program): string {
  return `h${nodes.length - 1}`
}

/** Rows that go on have their read already, but not the weights of it, which their first entry of `attention` has. */
function lookOf ({ read, feed }: Program, parts: ReadonlyMap<string, KeptPart>): Pass['start'] {
  return parts.size > 0 && read < feed ? [{ from: read, to: feed }] : undefined
}

/** Whether the carry is the last h of a GRU, which its Hi leaves no room for. */
function carriesH ({ state }: Program, { c }: Shape): boolean {
  return c === 0 && findSlice(state, 'c0') !== undefined
}

/** Which instructions make what feeds the first step. */
function startOf ({ read, y, lets, feed, end, stage }: Program, { initial }: Policy, given: boolean): Pass['start'] {
  const to = given ? feed : end
  // What is made for h_in alone is not needed if the request gives that.
  const parts = !given || isReadBeforeCells(stage)
  // Some wirings start without a read and lets; y is made in any case.
  const ranges = initial === 'no-read' ? [{ from: parts ? y : lets, to: lets }, { from: feed, to }] : [{ from: parts ? read : feed, to }]
  const some = ranges.filter((range) => range.from < range.to)
  return some.length > 0 ? some : undefined
}

/** Whether y, a read, or a let that is made as a step ends, is part of more than h_in. */
function isReadBeforeCells (stage: Stage): boolean {
  const { x, lets } = stage.wiring
  const isLate = lateness(stage)
  const kept = new Set(['read', 'y', ...lets.filter(({ feed }) => !isLate(feed)).map(({ name }) => name)])
  return [x, ...lets.filter(({ feed }) => isLate(feed)).map(({ feed }) => feed)].some((feed) => [...partsOf(feed)].some((name) => kept.has(name)))
}

/** What `h_next` is, if it can be told without the client: what the first node reads next, or all nodes' own h. */
function nextOf (program: Program, { directions }: Shape, { wiring }: Policy, { vectors }: Context): Served['next'] {
  if (wiring === undefined || directions === 2) return undefined
  const { h } = program.stage.wiring
  if (h === 'own') return 'h'
  if (!program.late || typeof h === 'string') return 'h_in'
  return vectors?.stepStride === 0 && !inputsOf(h, program.stage).has('x') ? 'h_in' : undefined
}

/** The inputs that a feed is made from, by way of lets too. */
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

/** `[B, entries, D * Ho]` for the last layer, all steps for the others. */
function keepOutputs (programs: readonly Program[], { directions, layers, output }: Shape, { rows, steps }: Outline, entries: number): Kept[] {
  if (directions === 2) return Array.from({ length: layers }, (_, l) => createKept(rows, steps, outputWidth(programs[2 * l]) + outputWidth(programs[2 * l + 1])))
  return entries === 0 ? [] : [createKept(rows, entries, output)]
}

/**
 * How many entries of y are kept to answer so many. A backward stage comes to the last step first, so all of its are kept,
 * except of a y that is made once: the first step's, to which the stage comes last, takes the place of the others'.
 */
export function keptEntriesOfY ({ directions, sequence: { once } }: Shape, { steps }: Outline, entries: number): number {
  return directions === 2 && entries > 0 && !once ? steps : entries
}

/** `[B, entries, K]` */
function keepY (width: number, rows: number, entries: number): Kept | undefined {
  return width === 0 || entries === 0 ? undefined : createKept(rows, entries, width)
}

function ySinks (y: Kept | undefined, { outputs }: Program): Sink[] {
  const output = outputs.findIndex(({ name }) => name === 'y')
  return y === undefined || output < 0 ? [] : [{ output, kept: y, offset: 0, shift: 0 }]
}

/** How much a stage writes at each step. */
export function outputWidth ({ outputs: [{ width }] }: Program): number {
  return width
}

function outputSinks (outputs: readonly Kept[], programs: readonly Program[], { directions }: Shape, i: number): Sink[] {
  if (outputs.length === 0) return []
  return [{ output: 0, kept: outputs[Math.floor(i / directions)], offset: i % directions === 0 ? 0 : outputWidth(programs[i - 1]), shift: 0 }]
}

/**
 * Makes room for the parts that a request asks for.
 *
 * @throws InputError if there is no such part, which says which there are.
 */
function keepParts (names: readonly string[], { outputs, attention }: Program, { support }: Context, rows: number, entries: number): Map<string, KeptPart> {
  const known = [...outputs.filter(({ name, asked }) => asked && name !== 'y').map(({ name }) => name), ...(attention === undefined ? [] : ['attention'])]
  return new Map(names.map((name, i) => {
    if (!known.includes(name)) throw unprocessable(`/parts/${i}`, `there is no part ${JSON.stringify(name)}; ${known.length === 0 ? 'this model has none' : `the parts are ${known.join(', ')}`}`)
    if (name === 'attention') return [name, { kept: createKept(rows, entries, Math.max(...support?.counts ?? [0])), late: false }]
    const output = outputs.find((each) => each.name === name)
    const late = output?.feeds === true
    return [name, { kept: createKept(rows, late && entries > 1 ? entries - 1 : entries, output?.width ?? 0), late }]
  }))
}

function partSinks (parts: ReadonlyMap<string, KeptPart>, { outputs, state }: Program): Sink[] {
  return [...parts].flatMap(([name, { kept, late }]): Sink[] => {
    const output = outputs.findIndex((each) => each.name === name)
    return output < 0 ? [] : [{ output, kept, offset: 0, shift: late ? 0 : 1, initial: late ? undefined : findSlice(state, name) }]
  })
}

function vectorsOf ({ vectors }: Context): Stream {
  if (vectors === undefined) throw new Error('the wiring needs vectors, and the context has none')
  const { tensor, rowStride, stepStride } = vectors
  return { data: tensor.data, rowStride, stepStride }
}

function keptStream ({ data, entries, width }: Kept): Stream {
  return { data, rowStride: entries * width, stepStride: width }
}

/** What a stage's rows end with, at every step. */
function lastStream ({ data }: States, program: Program): Stream {
  const { offset } = sliceOf(program, lastOf(program))
  return { data: data.subarray(offset), rowStride: program.state.width, stepStride: 0 }
}

function sliceOf ({ state }: Program, name: string): { offset: number } {
  const slice = findSlice(state, name)
  if (slice === undefined) throw new Error(`the state has no ${name}`)
  return slice
}

function createKept (rows: number, entries: number, width: number): Kept {
  return { data: new Float32Array(rows * entries * width), entries, width }
}
