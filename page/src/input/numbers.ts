import { messageOf } from '../app/message.ts'

/** A text that its field cannot accept; the message says why. */
export class TextFault extends Error {
  override readonly name = 'TextFault'
}

/** What separates the numbers of a line: commas, semicolons, tabs or spaces. */
const BETWEEN = /[\s,;]+/

/**
 * Vectors from a text: JSON, `[[1, 2], [3, 4]]`, or lines such as `1, 2`. A header of a CSV file is left out.
 *
 * @param width the expected width: if it is 1, numbers need no lines or brackets of their own. The service checks everything else.
 * @param name the field to take from the text if the text is a whole request.
 * @throws TextFault
 */
export function readVectors (text: string, width: number | undefined, name: string): number[][] {
  const trimmed = text.trim()
  if (trimmed === '') throw new TextFault('Enter numbers, one vector per line.')
  const rows = /^[[{]/.test(trimmed) ? ofJson(trimmed, name) : ofLines(trimmed)
  // Numbers of width 1 can stand in a column or in one row.
  return width === 1 && rows.length === 1 && rows[0].length > 1 ? rows[0].map((value) => [value]) : rows
}

/** One vector. @throws TextFault */
export function readVector (text: string, name: string): number[] {
  return readVectors(text, undefined, name).flat()
}

/** Integers. @throws TextFault */
export function readIds (text: string): number[] {
  return readVector(text, 'ids')
}

/** @throws TextFault */
export function readJson (text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return value
  } catch (error) {
    throw new TextFault(`This is not JSON: ${messageOf(error)}`)
  }
}

/** Vectors as lines, which are easier to read and edit than JSON. */
export function writeVectors (rows: ReadonlyArray<readonly number[]>): string {
  return rows.map((row) => row.join(', ')).join('\n')
}

function ofLines (text: string): number[][] {
  const lines = text.split(/\r?\n/).map((line, i) => ({ number: i + 1, cells: line.trim().replace(/[,;]\s*$/, '').split(BETWEEN) })).filter(({ cells }) => cells[0] !== '')
  const isNumber = (cell: string): boolean => cell !== '' && Number.isFinite(Number(cell))
  const [first, ...others] = lines
  const rows = others.length > 0 && !first.cells.some(isNumber) ? others : lines
  return rows.map(({ number, cells }) => cells.map((cell) => {
    if (!isNumber(cell)) throw new TextFault(`Line ${number}: “${cell.slice(0, 40)}” is not a number.`)
    return Number(cell)
  }))
}

function ofJson (text: string, name: string): number[][] {
  const value = readJson(text)
  const part: unknown = typeof value === 'object' && value !== null && name in value ? Reflect.get(value, name) : value
  if (!Array.isArray(part)) throw new TextFault(`Expected lists of numbers, or a request that has "${name}".`)
  const rows: readonly unknown[] = Array.isArray(part[0]?.[0]) ? part[0] : part
  if (rows !== part && part.length > 1) throw new TextFault(`These are ${part.length} rows of a batch. The page runs one: enter one of them.`)
  const numbers = rows.every((row) => typeof row === 'number') ? [rows] : rows
  return numbers.map((row, i) => {
    if (!Array.isArray(row)) throw new TextFault(`Vector ${i}: expected a list of numbers.`)
    return row.map((cell: unknown) => {
      if (typeof cell !== 'number' || !Number.isFinite(cell)) throw new TextFault(`Vector ${i}: ${JSON.stringify(cell)?.slice(0, 40)} is not a number.`)
      return cell
    })
  })
}
