import type { Program } from '../engine/program.ts'
import { unprocessable } from '../errors.ts'
import { findSlice } from '../network/state.ts'
import { States } from '../network/states.ts'
import type { Stream } from '../scheduler/task.ts'
import { zeros } from '../tensor/floats.ts'
import type { KeptRow } from './kept-row.ts'
import type { Shape } from './network.ts'
import type { Policy } from './policies/policy.ts'
import { givenState, type SequenceRequest, type StepRequest } from './request.ts'
import { vectorAt } from './steps.ts'

/** Rows before the first step of a task. */
export interface Rows {
  /** One per pass. */
  readonly states: readonly States[]
  /** How many steps each row has taken. */
  readonly before: readonly number[]
  /** Before the very first step: whether h_in was given, and whether the h that the first feed sees was. */
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
  if (given && program.late) states[0].put('given', Float32Array.of(1), 0)
  if (request.h_0 !== undefined) {
    const carried = carriesH(program, shape)
    if (shape.directions === 2 || (wiring === undefined && !carried)) throw unprocessable('/h_0', 'nothing reads it: this model has no feedback that starts from it')
    const { data, stride } = givenState(request.h_0, 'h_0', rows, shape.Ho, 'Ho')
    if (!ownGiven) states[0].put(lastOf(program), data, stride)
    if (carried) states[0].put('c0', data, stride)
  }
  return { states, before: new Array<number>(rows).fill(0), given, seen: request.h_0 !== undefined || ownGiven }
}

/** Rows of a step of the bare network. */
export function beginBareRows (request: StepRequest, program: Program, shape: Shape, rows: number): readonly States[] {
  const states = [new States(program.state, rows)]
  setStates(states, [program], shape, request, rows)
  if (request.h_0 !== undefined) {
    if (!carriesH(program, shape)) throw unprocessable('/h_0', 'a step reads it only in a GRU whose Hi differs from its Ho')
    const { data, stride } = givenState(request.h_0, 'h_0', rows, shape.Ho, 'Ho')
    states[0].put('c0', data, stride)
  }
  return states
}

/**
 * Rows that continue from their kept state.
 *
 * @throws InputError if some of them have taken a step and others have not, or they begin in different ways.
 */
export function goOn (kept: readonly KeptRow[], { state }: Program): Rows {
  const [{ t, given, seen }] = kept
  const odd = kept.findIndex((row) => (row.t > 0) !== (t > 0) || (t === 0 && (row.given !== given || row.seen !== seen)))
  if (odd >= 0) throw unprocessable(`/state/${odd}`, 'cannot continue together with the first: a row that has not taken a step yet begins differently; send them in separate requests')
  const states = new States(state, kept.length)
  kept.forEach((row, i) => { states.data.set(row.state, i * state.width) })
  return { states: [states], before: kept.map((row) => row.t), given, seen }
}

/** Sets the first x as the h that the first feed sees. */
export function setFirstX (states: States, { Ho }: Shape, program: Program, rows: number, x: Stream): void {
  const h = zeros(rows * Ho)
  for (let row = 0; row < rows; row++) h.set(vectorAt(x, Ho, row, 0), row * Ho)
  states.put(lastOf(program), h, Ho)
}

/** Copies the request's h_in and c_in into the states of the nodes. */
function setStates (states: readonly States[], programs: readonly Program[], shape: Shape, request: StepRequest, rows: number): void {
  if (request.c_in !== undefined && shape.c === 0) throw unprocessable('/c_in', 'this network has no c')
  const h = request.h_in && givenState(request.h_in, 'h_in', rows, shape.hIn, madeUp(shape, 'Hi'))
  const c = request.c_in && givenState(request.c_in, 'c_in', rows, shape.c, madeUp(shape, 'Ho'))
  let hAt = 0
  let cAt = 0
  for (const { stage, node } of shape.places) {
    const own = node > 0 || programs[stage].stage.wiring.h === 'own'
    if (h !== undefined) hAt += states[stage].put(own ? `h${node}` : 'h_in', h.data, h.stride, hAt)
    if (c !== undefined) cAt += states[stage].put(`c${node}`, c.data, c.stride, cAt)
  }
}

/** How the numbers of a state are made up, for messages. */
function madeUp ({ layers, directions }: Shape, size: string): string {
  if (layers * directions === 1) return size
  return `${layers} ${layers === 1 ? 'layer' : 'layers'}${directions === 2 ? ', 2 directions' : ''}: one vector each, in torch's order`
}

/** The name of the slice that has the last node's output. */
export function lastOf ({ stage: { nodes } }: Program): string {
  return `h${nodes.length - 1}`
}

/** Whether the carry is the last h of a GRU whose Hi differs from its Ho. */
function carriesH ({ state }: Program, { c }: Shape): boolean {
  return c === 0 && findSlice(state, 'c0') !== undefined
}
