import { findAddon } from '../../../engine/addon.ts'
import { createJson } from '../../../wire/json.ts'
import { Tensor } from '../../../tensor/tensor.ts'
import { EncodeError } from '../encode-error.ts'
import { nameOf, type Answer } from '../row.ts'
import { STATES, type Columns } from './sink.ts'
import type { WriteLines } from './text.ts'

/**
 * One line per row, or one per step: the row's carried values, or its number, and a column for each number in its fields. Rows
 * without an answer have no line.
 *
 * @throws EncodeError if the fields do not fit into such lines.
 */
export function csvLines ({ carries, fields, sequences }: Columns): WriteLines {
  const stepwise = sequences && fields.some((field) => !STATES.includes(field))
  const odd = stepwise ? fields.find((field) => STATES.includes(field)) : undefined
  if (odd !== undefined) throw new EncodeError(`--out: with --return-sequences CSV has one line per step, and ${odd} is one vector per row: leave it out of --fields, or choose another format`)
  const parts = stepwise ? fields.find((field) => field.startsWith('parts/')) : undefined
  if (parts !== undefined) throw new EncodeError('--out: with --return-sequences CSV has one line per step, and parts may have one entry more: choose another format')
  const json = createJson(findAddon())
  const numbers = (tensor: Tensor, at: number, width: number): string => json.write([new Tensor([width], tensor.data.subarray(at, at + width))]).slice(2, -2)

  /** The numbers of one line, separated by commas. */
  function line (answer: Answer, t: number): string {
    return Object.values(answer.fields).map((tensor) => {
      const width = tensor.shape[tensor.shape.length - 1]
      return numbers(tensor, stepwise ? t * width : 0, width)
    }).join(',')
  }

  function header ({ fields }: Answer): string {
    const names = Object.entries(fields).flatMap(([name, { shape }]) => Array.from({ length: shape[shape.length - 1] }, (_, i) => `${name}_${i}`))
    return `${[...carries.length > 0 ? carries : ['row'], ...stepwise ? ['t'] : [], ...names].map(quote).join(',')}\n`
  }

  /** How many numbers each line has. */
  let width: number | undefined
  return (answers, first) => {
    let text = ''
    for (const answer of answers) {
      if ('fault' in answer) continue
      const own = Object.values(answer.fields).reduce((sum, { shape }) => sum + shape[shape.length - 1], 0)
      width ??= own
      if (own !== width) throw new EncodeError(`${nameOf(answer)}: has ${own} numbers, but earlier rows have ${width}: choose another format`)
      if (first && text === '') text = header(answer)
      const id = carries.length > 0 ? carries.map((name) => quote(answer.carried[name])).join(',') : String(answer.number + 1)
      if (stepwise) for (let t = 0; t < answer.length; t++) text += `${id},${t},${line(answer, t)}\n`
      else text += `${id},${line(answer, 0)}\n`
    }
    return text
  }
}

/** A cell, quoted if necessary. */
function quote (value: unknown): string {
  const text = typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
