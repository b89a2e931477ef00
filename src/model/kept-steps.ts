import type { Program } from '../engine/program.ts'
import { unprocessable } from '../errors.ts'
import { findSlice } from '../network/state.ts'
import type { Kept, Sink, Stream } from '../scheduler/task.ts'
import type { Context } from './context.ts'
import type { Operation, Shape } from './network.ts'
import type { Outline } from './request.ts'

/** A part that is answered. */
export interface KeptPart {
  readonly kept: Kept
  /** Whether entry t is what fed step t and made as it began, so that there are T; otherwise there are T + 1. */
  readonly late: boolean
}

/** `[B, entries, D * Ho]` for the last layer, all steps for the others. */
export function keepOutputs (programs: readonly Program[], { directions, layers, output }: Shape, { rows, steps }: Outline, entries: number): Kept[] {
  if (directions === 2) return Array.from({ length: layers }, (_, l) => createKept(rows, steps, outputWidth(programs[2 * l]) + outputWidth(programs[2 * l + 1])))
  return entries === 0 ? [] : [createKept(rows, entries, output)]
}

/** `[B, entries, K]`. A backward stage comes to the last step first, so all of its are kept. */
export function keepY ({ y }: Operation, { directions }: Shape, { rows, steps }: Outline, entries: number): Kept | undefined {
  return y === 0 || entries === 0 ? undefined : createKept(rows, directions === 2 ? steps : entries, y)
}

export function ySinks (y: Kept | undefined, { outputs }: Program): Sink[] {
  const output = outputs.findIndex(({ name }) => name === 'y')
  return y === undefined || output < 0 ? [] : [{ output, kept: y, offset: 0, shift: 0 }]
}

/** How much a stage writes at each step. */
export function outputWidth ({ outputs: [{ width }] }: Program): number {
  return width
}

export function outputSinks (outputs: readonly Kept[], programs: readonly Program[], { directions }: Shape, i: number): Sink[] {
  if (outputs.length === 0) return []
  return [{ output: 0, kept: outputs[Math.floor(i / directions)], offset: i % directions === 0 ? 0 : outputWidth(programs[i - 1]), shift: 0 }]
}

/**
 * Makes room for the parts that a request asks for.
 *
 * @throws InputError if there is no such part, which says which there are.
 */
export function keepParts (names: readonly string[], { outputs, attention }: Program, { support }: Context, rows: number, entries: number): Map<string, KeptPart> {
  const known = [...outputs.filter(({ name, asked }) => asked && name !== 'y').map(({ name }) => name), ...(attention === undefined ? [] : ['attention'])]
  return new Map(names.map((name, i) => {
    if (!known.includes(name)) throw unprocessable(`/parts/${i}`, `there is no part ${JSON.stringify(name)}; ${known.length === 0 ? 'this model has none' : `the parts are ${known.join(', ')}`}`)
    if (name === 'attention') return [name, { kept: createKept(rows, entries, Math.max(...support?.counts ?? [0])), late: false }]
    const output = outputs.find((each) => each.name === name)
    const late = output?.feeds === true
    return [name, { kept: createKept(rows, late && entries > 1 ? entries - 1 : entries, output?.width ?? 0), late }]
  }))
}

export function partSinks (parts: ReadonlyMap<string, KeptPart>, { outputs, state }: Program): Sink[] {
  return [...parts].flatMap(([name, { kept, late }]): Sink[] => {
    const output = outputs.findIndex((each) => each.name === name)
    return output < 0 ? [] : [{ output, kept, offset: 0, shift: late ? 0 : 1, initial: late ? undefined : findSlice(state, name) }]
  })
}

export function keptStream ({ data, entries, width }: Kept): Stream {
  return { data, rowStride: entries * width, stepStride: width }
}

function createKept (rows: number, entries: number, width: number): Kept {
  return { data: new Float32Array(rows * entries * width), entries, width }
}
