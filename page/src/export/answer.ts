import { shortest } from '../series/numbers.ts'
import { labelOf, type Series } from '../series/series.ts'
import type { Work } from '../series/slices.ts'
import { writeSafetensors } from '../../../clients/typescript/src/safetensors.ts'

/** The fields of an answer that are not parts. */
const FIELDS = ['output', 'y']

const isField = ({ name }: Series): boolean => FIELDS.includes(name)

/** The name of a series's tensor in the service's own safetensors documents. */
const tensorOf = (series: Series): string => isField(series) ? series.name : `parts/${series.name}`

/** A run's numbers in the form of the service's JSON, `[1][T][...]`. Yields often, so that long answers do not block. */
export function * toJson (all: readonly Series[]): Work<string[]> {
  const pieces: string[] = []
  const parts = all.filter((series) => !isField(series))
  const fields = all.filter(isField)
  let separator = '{'
  for (const series of fields) {
    pieces.push(`${separator}${JSON.stringify(series.name)}:`)
    yield * rows(series, pieces)
    separator = ','
  }
  if (parts.length > 0) {
    pieces.push(`${separator}"parts":`)
    separator = '{'
    for (const series of parts) {
      pieces.push(`${separator}${JSON.stringify(series.name)}:`)
      yield * rows(series, pieces)
      separator = ','
    }
    pieces.push('}')
  }
  pieces.push(all.length === 0 ? '{}\n' : '}\n')
  return pieces
}

function * rows (series: Series, pieces: string[]): Work<void> {
  pieces.push('[[')
  for (let step = 0; step < series.steps; step++) {
    pieces.push(`${step === 0 ? '' : ','}[${Array.from(rowOf(series, step), shortest).join(',')}]`)
    yield
  }
  pieces.push(']]')
}

/** CSV (RFC 4180) with one row per step and one column per unit. Some parts have one step more than others. */
export function * toCsv (all: readonly Series[]): Work<string[]> {
  const pieces = [`${['step', ...all.flatMap((series) => Array.from({ length: series.size }, (_, unit) => cell(headOf(series, unit))))].join(',')}\r\n`]
  const steps = Math.max(0, ...all.map((series) => series.steps))
  for (let step = 0; step < steps; step++) {
    const numbers = all.flatMap((series) => step < series.steps ? Array.from(rowOf(series, step), shortest) : Array.from<string>({ length: series.size }).fill(''))
    pieces.push(`${[step, ...numbers].join(',')}\r\n`)
    yield
  }
  return pieces
}

/** The same tensors as in the service's own safetensors answer, `[1][T][...]`. */
export function toSafetensors (all: readonly Series[]): Uint8Array<ArrayBuffer> {
  return writeSafetensors(all.map((series) => {
    const { size, steps, values } = series
    return [tensorOf(series), { dtype: 'F32', shape: [1, steps, size], bytes: new Uint8Array(values.buffer, values.byteOffset, steps * size * Float32Array.BYTES_PER_ELEMENT) }]
  }))
}

function rowOf ({ size, values }: Series, step: number): Float32Array {
  return values.subarray(step * size, (step + 1) * size)
}

/** The name of a column, including the series: two series can have the same labels. */
function headOf (series: Series, unit: number): string {
  const label = labelOf(series, unit)
  return label.split(' ').includes(series.name) ? label : `${series.name} ${label}`
}

function cell (text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
