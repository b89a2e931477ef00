import { unprocessable } from '../errors.ts'
import type { Read } from '../network/feed.ts'
import { compile } from '../tensor/schema.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Policy } from './policies/policy.ts'
import type { Outline } from './request.ts'

/** What a request's context provides for the model's wiring. */
export interface Context {
  readonly vectors?: Vectors | undefined
  readonly support?: Support | undefined
}

/** A vector per step. Ragged rows are padded only after that memory has been counted. */
export interface Vectors {
  readonly tensor: Tensor
  readonly rowStride: number
  /** 0 if all steps read the same. */
  readonly stepStride: number
}

/** The vectors that are attended to: one set for all rows, or one per row. */
export interface Support {
  /** `[sum of counts, D]` */
  readonly data: Float32Array
  readonly counts: readonly number[]
}

/**
 * Creates the reader for the contexts of a model's requests.
 *
 * @returns a function that throws InputError if a context does not fit the model or the request.
 */
export function createContextReader ({ context: schema, vectors: D, wiring, host }: Policy): (context: unknown, outline: Outline) => Context {
  // A host reads the context itself.
  if (host !== undefined) return () => ({})
  const read = compile(schema)
  return (context, outline) => {
    const { vectors, support, support_lengths: counts }: Fields = Object(read(context, '/context'))
    return {
      vectors: D !== undefined && vectors instanceof Tensor ? placeVectors(vectors, D, outline) : undefined,
      support: wiring?.read !== undefined && support instanceof Tensor ? placeSupport(support, counts, wiring.read, outline) : undefined
    }
  }
}

/** The fields of a checked context that can feed the wiring. */
interface Fields {
  readonly vectors?: unknown
  readonly support?: unknown
  readonly support_lengths?: readonly number[]
}

function placeVectors (tensor: Tensor, D: number, { rows, steps, lengths, batched }: Outline): Vectors {
  const { shape, rank, lengths: own } = tensor
  const path = '/context/vectors'
  if (shape[rank - 1] !== D) throw unprocessable(path, `expected vectors of ${D} numbers, got ${shape[rank - 1]}`)
  if (rank === 1) return { tensor, rowStride: 0, stepStride: 0 }
  if (rank === 2 && batched) {
    if (shape[0] !== rows) throw unprocessable(path, `expected a vector for each of the ${rows} rows, got ${shape[0]}`)
    return { tensor, rowStride: D, stepStride: 0 }
  }
  const count = shape[rank - 2]
  if (rank === 3) {
    if (shape[0] !== rows) throw unprocessable(path, `expected vectors for each of the ${rows} rows, got ${shape[0]}`)
    // A ragged row has vectors for its own steps only.
    const uneven = own?.findIndex((given, row) => given !== lengths[row]) ?? -1
    if (uneven >= 0) throw unprocessable(`${path}/${uneven}`, `expected ${lengths[uneven]} vectors, one per step of this row, got ${own?.[uneven]}`)
  }
  if (count !== steps) throw unprocessable(path, `expected ${steps} vectors per row, one per step, got ${count}`)
  return { tensor, rowStride: rank === 3 ? count * D : 0, stepStride: D }
}

function placeSupport (tensor: Tensor, given: readonly number[] | undefined, { support: D }: Read, { rows }: Outline): Support {
  const { shape, rank, packed, lengths: ragged } = tensor
  const path = '/context/support'
  const N = shape[rank - 2]
  if (shape[rank - 1] !== D) throw unprocessable(path, `expected vectors of ${D} numbers, got ${shape[rank - 1]}`)
  if (rank === 2) {
    if (given !== undefined) throw unprocessable('/context/support_lengths', 'is for a support of each row, [B][N][D], and this one is for all rows')
    return { data: packed, counts: [N] }
  }
  if (shape[0] !== rows) throw unprocessable(path, `expected a support for each of the ${rows} rows, got ${shape[0]}`)
  if (given === undefined) return { data: packed, counts: ragged === undefined ? new Array<number>(rows).fill(N) : Array.from(ragged) }
  checkSupportLengths(given, ragged, rows, N)
  return { data: pack(packed, given, N * D, D), counts: given }
}

function checkSupportLengths (given: readonly number[], ragged: Uint32Array | undefined, rows: number, N: number): void {
  const path = '/context/support_lengths'
  if (ragged !== undefined) throw unprocessable(path, 'cannot be given if the rows of support are ragged: they have their lengths already')
  if (given.length !== rows) throw unprocessable(path, `expected ${rows} lengths, one per row, got ${given.length}`)
  const odd = given.findIndex((count) => count > N)
  if (odd >= 0) throw unprocessable(`${path}/${odd}`, `expected 1 to ${N} (N), got ${given[odd]}`)
}

/** Packs the first `counts` vectors of each row together, in place. The padding is not read. */
function pack (data: Float32Array, counts: readonly number[], rowStride: number, D: number): Float32Array {
  let at = 0
  counts.forEach((count, row) => {
    data.copyWithin(at, row * rowStride, row * rowStride + count * D)
    at += count * D
  })
  return data.subarray(0, at)
}
