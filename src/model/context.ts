import { unprocessable } from '../errors.ts'
import type { Read } from '../network/feed.ts'
import type { Stream } from '../scheduler/task.ts'
import { compile } from '../tensor/schema.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Policy } from './policies/policy.ts'
import type { Outline } from './request.ts'

/** What a request's context brings for the model's wiring. */
export interface Context {
  /** `[B][T][D]`, in whatever way it came. */
  readonly vectors?: Stream | undefined
  readonly support?: Support | undefined
}

/** The vectors that are attended to: one set for all rows, or one per row. */
export interface Support {
  /** `[sum of counts, D]` */
  readonly data: Float32Array
  readonly counts: readonly number[]
}

/** Reads the contexts of a model's requests. */
export interface ContextReader {
  /**
   * Checks a context by the model's schema, its tensors flattened in place: how many rows they are of may be asked then.
   *
   * @throws InputError if it is not of the schema.
   */
  check (context: unknown): unknown
  /**
   * Lays out a checked context for the rows of its request.
   *
   * @throws InputError if it does not fit the model or the request.
   */
  place (checked: unknown, outline: Outline): Context
}

export function createContextReader ({ context: schema, vectors: D, wiring, host }: Policy): ContextReader {
  // A host reads its own.
  if (host !== undefined) return { check: (context) => context, place: () => ({}) }
  const read = compile(schema)
  return {
    check: (context) => read(context, '/context'),
    place (checked, outline) {
      const { vectors, support, support_lengths: counts }: Fields = Object(checked)
      return {
        vectors: D !== undefined && vectors instanceof Tensor ? placeVectors(vectors, D, outline) : undefined,
        support: wiring?.read !== undefined && support instanceof Tensor ? placeSupport(support, counts, wiring.read, outline) : undefined
      }
    }
  }
}

/** What a checked context has, if its wiring is fed from it. */
interface Fields {
  readonly vectors?: unknown
  readonly support?: unknown
  readonly support_lengths?: readonly number[]
}

function placeVectors ({ data, shape, rank, lengths: own }: Tensor, D: number, { rows, steps, lengths, batched }: Outline): Stream {
  const path = '/context/vectors'
  if (shape[rank - 1] !== D) throw unprocessable(path, `expected vectors of ${D} numbers, got ${shape[rank - 1]}`)
  if (rank === 1) return { data, rowStride: 0, stepStride: 0 }
  if (rank === 2 && batched) {
    if (shape[0] !== rows) throw unprocessable(path, `expected a vector for each of the ${rows} rows, got ${shape[0]}`)
    return { data, rowStride: D, stepStride: 0 }
  }
  const count = shape[rank - 2]
  if (rank === 3) {
    if (shape[0] !== rows) throw unprocessable(path, `expected vectors for each of the ${rows} rows, got ${shape[0]}`)
    // A ragged row brings just the vectors of its own steps.
    const uneven = own?.findIndex((given, row) => given !== lengths[row]) ?? -1
    if (uneven >= 0) throw unprocessable(`${path}/${uneven}`, `expected ${lengths[uneven]} vectors, one per step of this row, got ${own?.[uneven]}`)
  }
  if (count !== steps) throw unprocessable(path, `expected ${steps} vectors per row, one per step, got ${count}`)
  return { data, rowStride: rank === 3 ? count * D : 0, stepStride: D }
}

function placeSupport ({ data, shape, rank, lengths: ragged }: Tensor, given: readonly number[] | undefined, { support: D }: Read, { rows }: Outline): Support {
  const path = '/context/support'
  const N = shape[rank - 2]
  if (shape[rank - 1] !== D) throw unprocessable(path, `expected vectors of ${D} numbers, got ${shape[rank - 1]}`)
  if (rank === 2) {
    if (given !== undefined) throw unprocessable('/context/support_lengths', 'is for a support of each row, [B][N][D], and this one is for all rows')
    return { data, counts: [N] }
  }
  if (shape[0] !== rows) throw unprocessable(path, `expected a support for each of the ${rows} rows, got ${shape[0]}`)
  if (given !== undefined) checkSupportLengths(given, ragged, rows, N)
  const counts = given ?? ragged ?? new Array<number>(rows).fill(N)
  return { data: withoutPadding(data, counts, N * D, D), counts }
}

function checkSupportLengths (given: readonly number[], ragged: readonly number[] | undefined, rows: number, N: number): void {
  const path = '/context/support_lengths'
  if (ragged !== undefined) throw unprocessable(path, 'cannot be given if the rows of support are ragged: they have their lengths already')
  if (given.length !== rows) throw unprocessable(path, `expected ${rows} lengths, one per row, got ${given.length}`)
  const odd = given.findIndex((count) => count > N)
  if (odd >= 0) throw unprocessable(`${path}/${odd}`, `expected 1 to ${N} (N), got ${given[odd]}`)
}

/** The first `counts` vectors of each row, one row after the other. */
function withoutPadding (data: Float32Array, counts: readonly number[], rowStride: number, D: number): Float32Array {
  const total = counts.reduce((a, b) => a + b, 0)
  if (total * D === data.length) return data
  const packed = new Float32Array(total * D)
  let at = 0
  counts.forEach((count, row) => {
    packed.set(data.subarray(row * rowStride, row * rowStride + count * D), at)
    at += count * D
  })
  return packed
}
