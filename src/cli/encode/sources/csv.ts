import type { FileHandle } from 'node:fs/promises'
import { Tensor } from '../../../tensor/tensor.ts'
import { EncodeError } from '../encode-error.ts'
import type { BadRow, Row } from '../row.ts'
import { readLines } from './lines.ts'
import { MAX_ROW, textWindows, type Position, type Source, type Window } from './source.ts'

/** A line of the file, apart from the header. */
interface Step {
  readonly id: string
  /** The text after the id. */
  readonly rest: string
  /** Byte offsets of this line and of the next one. */
  readonly begin: number
  readonly end: number
  /** Its number in the file, from 1. */
  readonly line: number
  readonly ended: boolean
}

/** Consecutive lines with the same id: a sequence. */
interface Group {
  readonly id: string
  readonly steps: Step[]
  readonly end: number
}

/**
 * One step per line: the id of its sequence, then the numbers of its x, or one id of an embedding. The first line is a header.
 *
 * @param embedded whether the model begins with an embedding.
 * @throws EncodeError if there is no header.
 */
export async function openCsv (file: FileHandle, size: number, embedded: boolean): Promise<Source> {
  const { names, begin } = await readHeader(file)
  const width = names.length - 1
  if (embedded && width !== 1) throw new EncodeError(`the model begins with an embedding, so a line has the id of its sequence and one id of the vocabulary; the header has ${names.length} columns`)

  async function * groups (from: Position): AsyncGenerator<[Group], void> {
    let group: Group | undefined
    let bytes = 0
    for await (const step of readSteps(file, from.byte === 0 ? begin : from.byte)) {
      if (group?.id === step.id) {
        bytes += step.end - step.begin
        if (bytes > MAX_ROW) throw new EncodeError(`line ${step.line}: the sequence ${JSON.stringify(step.id.slice(0, 40))} is longer than the ${MAX_ROW} bytes allowed`)
        group.steps.push(step)
        continue
      }
      if (group !== undefined) yield [{ ...group, end: step.begin }]
      bytes = 0
      group = { id: step.id, steps: [step], end: size }
    }
    if (group !== undefined) yield [group]
  }

  async function count (): Promise<number> {
    let rows = 0
    let last: string | undefined
    for await (const { id } of readSteps(file, begin)) {
      if (id !== last) rows++
      last = id
    }
    return rows
  }

  async function seek (row: number): Promise<Position> {
    if (row === 0) return { row, byte: begin }
    let before = 0
    let last: string | undefined
    for await (const step of readSteps(file, begin)) {
      if (step.id !== last && before++ === row) return { row, byte: step.begin }
      last = step.id
    }
    return { row: before, byte: size }
  }

  const windows = (from: Position, to: number): AsyncGenerator<Window, void> => textWindows(groups(from), from, to,
    (group, number) => ({ row: readGroup(group, number, names, embedded), bytes: group.end - group.steps[0].begin, end: group.end }))

  return { carries: [names[0]], size, rows: undefined, count, seek, read: windows, close: async () => { await file.close() } }
}

async function readHeader (file: FileHandle): Promise<{ names: string[], begin: number }> {
  const { value: [line] = [] } = await readLines(file, 0).next()
  if (line === undefined) throw new EncodeError('is empty: expected a header and one step per line')
  const names = line.bytes.toString().replace(/^\uFEFF/, '').split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
  if (names.length < 2) throw new EncodeError(`expected a header, the names of the id column and of the number columns, got ${JSON.stringify(names[0].slice(0, 40))}`)
  if (names.every((name) => isNumber(name))) throw new EncodeError('expected a header, the names of the columns, got a line of numbers')
  return { names, begin: line.end }
}

async function * readSteps (file: FileHandle, from: number): AsyncGenerator<Step, void> {
  let begin = from
  // Only messages use the line number. After a resume it counts from the resume point, so it is too low.
  let line = 1
  for await (const lines of readLines(file, from)) {
    for (const { bytes, end, ended } of lines) {
      const text = bytes.toString()
      line++
      yield { ...splitId(text, line), begin, end, line, ended }
      begin = end
    }
  }
}

/** The first cell of a line, which may be quoted, and the rest. */
function splitId (text: string, line: number): { id: string, rest: string } {
  if (!text.startsWith('"')) {
    const at = text.indexOf(',')
    return at < 0 ? { id: text, rest: '' } : { id: text.slice(0, at), rest: text.slice(at + 1) }
  }
  const [whole, inner] = /^"((?:[^"]|"")*)"(?:,|$)/.exec(text) ?? []
  if (whole === undefined) throw new EncodeError(`line ${line}: the quoted id does not end`)
  return { id: inner.replaceAll('""', '"'), rest: text.slice(whole.length) }
}

function readGroup ({ id, steps }: Group, number: number, [name, ...columns]: readonly string[], embedded: boolean): Row | BadRow {
  const carried = { [name]: id }
  const numbers = new Float32Array(steps.length * columns.length)
  const ids: number[] = []
  for (const [t, { rest, ended }] of steps.entries()) {
    const cells = rest.split(',')
    const where = `step ${t}${ended ? '' : ', in which the file ends'}`
    if (cells.length !== columns.length) return { number, carried, fault: `${where}: expected ${columns.length} numbers, as many as the header has columns for, got ${rest === '' ? 0 : cells.length}` }
    for (let i = 0; i < cells.length; i++) {
      const value = Number(cells[i])
      const at = t * columns.length + i
      numbers[at] = value
      if (!isNumber(cells[i]) || !Number.isFinite(numbers[at])) return { number, carried, fault: `${where}: ${columns[i]}: expected a number that is finite as a float32, got ${JSON.stringify(cells[i].slice(0, 40))}` }
      if (embedded && !Number.isSafeInteger(value)) return { number, carried, fault: `${where}: ${columns[i]}: expected an integer, got ${cells[i].slice(0, 40)}` }
      if (embedded) ids.push(value)
    }
  }
  const request = embedded ? { ids } : { x: new Tensor([steps.length, columns.length], numbers) }
  return { number, request, length: steps.length, carried }
}

function isNumber (text: string): boolean {
  return /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$/.test(text)
}
