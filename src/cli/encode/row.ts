import type { SequenceRequest } from '../../model/request.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** A sequence from the input: a request with one row, in the shorthand without `[B]`. */
export interface Row {
  /** Its place in the file, from 0. */
  readonly number: number
  readonly request: SequenceRequest
  /** How many steps it takes. */
  readonly length: number
  /** Values copied to its answer unchanged, by name. */
  readonly carried: Carried
}

export type Carried = Readonly<Record<string, unknown>>

/** A row that cannot be answered, and why. */
export interface BadRow extends Pick<Row, 'number' | 'carried'> {
  readonly fault: string
}

/** The answer for a row, without `[B]`. */
export interface Answer extends Pick<Row, 'number' | 'length' | 'carried'> {
  /** By the API's names; `parts/NAME` is a part. */
  readonly fields: Readonly<Record<string, Tensor>>
}

/** The row's name in messages. Rows count from 1, as the lines of a file do. */
export function nameOf ({ number }: Pick<Row, 'number'>): string {
  return `row ${number + 1}`
}
