import type { Program } from '../engine/program.ts'
import { unprocessable } from '../errors.ts'
import type { CellKind } from '../network/cell.ts'
import type { Context } from './context.ts'

/** A part that a sequence can answer: a read, its attention weights, a let, or a tap. */
export interface Part {
  readonly name: string
  /** How many numbers an entry has; if undefined, as many as the request's largest support set has vectors. */
  readonly width: number | undefined
  /** Whether entries are computed after a step, for the next one, so that there are T + 1; otherwise each belongs to its step, and there are T. */
  readonly next: boolean
  /** The outputs of the passes' programs that make up the part, and where in an entry they start; empty for attention, which is not an output. */
  readonly outputs: ReadonlyArray<{ readonly pass: number, readonly output: number, readonly offset: number }>
}

/** A part that a request asks for, with its width in that request. */
export interface AskedPart {
  readonly part: Part
  readonly width: number
}

/** A requested part, and how many of its entries are kept: as many as there is room for, or only the last. */
export interface PlannedPart extends AskedPart {
  readonly entries: number
  readonly last: boolean
}

/** The parts of a network whose sequences go through these programs. A part that several programs have is one part, their numbers concatenated. */
export function findParts (programs: readonly Program[]): Part[] {
  const parts = new Map<string, Part>()
  programs.forEach(({ outputs }, pass) => outputs.forEach(({ name, width, asked, next }, output) => {
    if (!asked || name === 'y') return
    const before = parts.get(name)
    const offset = before?.width ?? 0
    parts.set(name, { name, width: offset + width, next, outputs: [...before?.outputs ?? [], { pass, output, offset }] })
    if (name === 'read') parts.set('attention', { name: 'attention', width: undefined, next: true, outputs: [] })
  }))
  return [...parts.values()]
}

/**
 * Looks up the parts that a request asks for.
 *
 * @param kind the kind of the cells.
 * @throws InputError if a part does not exist; the message lists the existing ones.
 */
export function askParts (names: readonly string[], parts: readonly Part[], kind: CellKind, { support }: Context): AskedPart[] {
  return names.map((name, i) => {
    const part = parts.find((each) => each.name === name)
    if (part === undefined) throw unprocessable(`/parts/${i}`, `${whyNot(name, kind)}; the parts are ${parts.map((each) => each.name).join(', ')}`)
    return { part, width: part.width ?? Math.max(...support?.counts ?? [0]) }
  })
}

function whyNot (name: string, kind: CellKind): string {
  if (name === 'gates') return `there are no gates: the cells are of kind ${kind}, which has none`
  if (name === 'c') return `there is no c: the cells are of kind ${kind}, and only an lstm has one`
  return `there is no part ${JSON.stringify(name)}`
}
