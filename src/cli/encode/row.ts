import type { SequenceRequest } from '../../model/request.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** A sequence of the input: a request of one row, in the shorthand without `[B]`. */
export interface Row {
  /** Its place in the file, from 0. */
  readonly number: number
  readonly request: SequenceRequest
  /** How many steps it takes. */
  readonly length: number
  /** What goes to its answer as it is, by name. */
  readonly carried: Carried
}

export type Carried = Readonly<Record<string, unknown>>

/** A row that cannot be answered, and why. */
export interface BadRow extends Pick<Row, 'number' | 'carried'> {
  readonly fault: string
}

/** What is made of a row, without `[B]`. */
export interface Answer extends Pick<Row, 'number' | 'length' | 'carried'> {
  /** By the API's names; `parts/NAME` is a part. */
  readonly fields: Readonly<Record<string, Tensor>>
}

/** What people find a row by: the first is row 1, as the first line of a file is line 1. */
export function nameOf ({ number }: Pick<Row, 'number'>): string {
  return `row ${number + 1}`
}
