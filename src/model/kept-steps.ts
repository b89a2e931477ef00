import type { Program } from '../engine/program.ts'
import { findSlice } from '../network/state.ts'
import type { States } from '../network/states.ts'
import type { Kept, Sink, Stream } from '../scheduler/task.ts'
import { zeros } from '../tensor/floats.ts'
import type { Shape } from './network.ts'
import type { Part, PlannedPart } from './parts.ts'
import type { Outline } from './request.ts'
import { lastOf } from './rows.ts'

/** A part that is answered. */
export interface KeptPart {
  readonly part: Part
  /** Whether the last entry alone is kept. */
  readonly last: boolean
  readonly kept: Kept
}

/** `[B, entries, D * Ho]` for the last layer, all steps for the others. */
export function keepOutputs (programs: readonly Program[], { directions, layers, output }: Shape, { rows, steps }: Outline, entries: number): Kept[] {
  if (directions === 2) return Array.from({ length: layers }, (_, l) => createKept(rows, steps, outputWidth(programs[2 * l]) + outputWidth(programs[2 * l + 1])))
  return entries === 0 ? [] : [createKept(rows, entries, output)]
}

/**
 * How many entries of y are kept for an answer of `entries`. A backward stage computes the last step first, so all its entries
 * are kept. A y that is computed once is an exception: the first step, which the stage computes last, overwrites the others.
 */
export function keptEntriesOfY ({ directions, sequence: { once } }: Shape, { steps }: Outline, entries: number): number {
  return directions === 2 && entries > 0 && !once ? steps : entries
}

/** `[B, entries, K]` */
export function keepY (width: number, rows: number, entries: number): Kept | undefined {
  return width === 0 || entries === 0 ? undefined : createKept(rows, entries, width)
}

export function ySinks (y: Kept | undefined, { outputs }: Program): Sink[] {
  const output = outputs.findIndex(({ name }) => name === 'y')
  return y === undefined || output < 0 ? [] : [{ output, kept: y, offset: 0, shift: 0 }]
}

/** How many numbers a stage writes at each step. */
export function outputWidth ({ outputs: [{ width }] }: Program): number {
  return width
}

export function outputSinks (outputs: readonly Kept[], programs: readonly Program[], { directions }: Shape, i: number): Sink[] {
  if (outputs.length === 0) return []
  return [{ output: 0, kept: outputs[Math.floor(i / directions)], offset: i % directions === 0 ? 0 : outputWidth(programs[i - 1]), shift: 0 }]
}

/** Allocates memory for the parts that a request asks for. */
export function keepParts (asked: readonly PlannedPart[], rows: number): Map<string, KeptPart> {
  return new Map(asked.map(({ part, width, entries, last }) => [part.name, { part, last, kept: createKept(rows, entries, width) }]))
}

/** Where a pass writes its outputs for these parts. */
export function partSinks (parts: ReadonlyMap<string, KeptPart>, { state }: Program, pass: number): Sink[] {
  return [...parts.values()].flatMap(({ part: { name, next, outputs }, last, kept }) => outputs.filter((one) => one.pass === pass)
    .map(({ output, offset }): Sink => ({ output, kept, offset, shift: next ? 1 : 0, last, initial: next ? findSlice(state, name) : undefined })))
}

/** The output that a stage's rows end with, as an input for every step. */
export function lastStream ({ data }: States, program: Program): Stream {
  const name = lastOf(program)
  const slice = findSlice(program.state, name)
  if (slice === undefined) throw new Error(`the state has no ${name}`)
  return { data: data.subarray(slice.offset), rowStride: program.state.width, stepStride: 0 }
}

export function keptStream ({ data, entries, width }: Kept): Stream {
  return { data, rowStride: entries * width, stepStride: width }
}

function createKept (rows: number, entries: number, width: number): Kept {
  return { data: zeros(rows * entries * width), entries, width }
}
