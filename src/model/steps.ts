import { unprocessable } from '../errors.ts'
import type { Stream } from '../scheduler/task.ts'
import type { Operation } from './network.ts'
import type { Ids, Outline, StepRequest } from './request.ts'

/**
 * What the rows of a request read as their x: the numbers it sent, or the rows of the embedding that its ids stand for.
 * Embedding rows are not copied: a reader follows the ids into the table.
 *
 * @throws InputError if an id is not in the vocabulary; its path points to the id.
 */
export function stepsOf ({ x, ids }: StepRequest, { rows, steps, repeated }: Outline, { width, embedding }: Operation): Stream {
  const each = repeated ? 1 : steps
  if (embedding !== undefined && ids !== undefined) {
    return { data: embedding.table, index: placesOf(ids, rows, each, embedding.vocabulary), rowStride: each, stepStride: repeated ? 0 : 1 }
  }
  if (x === undefined) return { data: new Float32Array(0), rowStride: 0, stepStride: 0 }
  return { data: x.data, rowStride: each * width, stepStride: repeated ? 0 : width }
}

/** The vector of `width` numbers that row `b` reads at step `t`, as a view. */
export function vectorAt ({ data, rowStride, stepStride, index }: Stream, width: number, b: number, t: number): Float32Array {
  const place = b * rowStride + t * stepStride
  const at = index === undefined ? place : index[place] * width
  return data.subarray(at, at + width)
}

/** `[rows, steps]`, zeros beyond the end of ragged rows. */
function placesOf (ids: Ids, rows: number, steps: number, vocabulary: number): Int32Array {
  const places = new Int32Array(rows * steps)
  const put = (id: number, at: number, ...path: readonly number[]): void => {
    if (id < 0 || id >= vocabulary) throw unprocessable(['/ids', ...path].join('/'), `expected 0 to ${vocabulary - 1} (the vocabulary has ${vocabulary} rows), got ${id}`)
    places[at] = id
  }
  if (typeof ids === 'number') {
    put(ids, 0)
    return places
  }
  ids.forEach((row, b) => {
    if (typeof row === 'number') put(row, b, b)
    else row.forEach((id, t) => put(id, b * steps + t, b, t))
  })
  return places
}
