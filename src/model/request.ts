import type { CellSizes } from '../network/cell.ts'
import { unprocessable } from '../errors.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** One step of the bare cell; the client owns the feedback. */
export interface StepRequest {
  /** `[I]`, `[B][I]` or `[B][1][I]` */
  readonly x: Tensor
  /** `[Hi]` for all rows, or `[B][Hi]`; zeros where left out. */
  readonly h_in?: Tensor
  /** `[Ho]` for all rows, or `[B][Ho]`; zeros where left out. */
  readonly c_in?: Tensor
}

/** Many steps, the feedback by the model's policy. */
export interface SequenceRequest {
  /** `[B][T][I]`, rows ragged or not, or `[T][I]`; with `steps` `[B][I]` or `[I]` */
  readonly x: Tensor
  /** As in a step: what the first step reads, in the policy's place. */
  readonly h_in?: Tensor
  readonly c_in?: Tensor
  /** How many steps each row takes; all T where left out. */
  readonly lengths?: readonly number[]
  /** Feed the same `x` this many times. */
  readonly steps?: number
  /** What the model's policy needs of the request. */
  readonly context?: unknown
  readonly return?: 'all' | 'last'
}

/** How the `x` of a request lies. */
export interface Outline {
  /** B */
  readonly rows: number
  /** T */
  readonly steps: number
  readonly lengths: readonly number[]
  /** Whether the answer has a batch dimension. */
  readonly batched: boolean
  /** The distance between two steps of a row in `x`, 0 where all read the same. */
  readonly xStep: number
}

/** @throws InputError where `x` does not fit the cell. */
export function outlineStep ({ x }: StepRequest, { I }: CellSizes): Outline {
  const { shape, rank } = x
  checkWidth(x, I)
  if (rank === 3 && shape[1] !== 1) {
    throw unprocessable('/x', `expected one step a row, [B][1][I], got ${shape[1]}; a sequence goes to /sequence`)
  }
  const rows = rank === 1 ? 1 : shape[0]
  return { rows, steps: 1, lengths: new Array(rows).fill(1), batched: rank > 1, xStep: 0 }
}

/** @throws InputError where `x`, `steps` and `lengths` do not fit the cell or each other. */
export function outlineSequence ({ x, steps, lengths }: SequenceRequest, { I }: CellSizes, maxSteps: number): Outline {
  const { shape, rank } = x
  if (steps !== undefined && rank === 3) throw unprocessable('/steps', 'feeds the same x to every step, so x must be [B][I] or [I], got [B][T][I]')
  if (steps === undefined && rank === 1) {
    throw unprocessable('/x', 'expected [B][T][I] or [T][I], got a single vector; to feed it more than once, say how often in steps')
  }
  checkWidth(x, I)
  const batched = steps === undefined ? rank === 3 : rank === 2
  const rows = batched ? shape[0] : 1
  const T = steps ?? shape[rank - 2]
  if (rows * T > maxSteps) throw unprocessable(steps === undefined ? '/x' : '/steps', `${rows} rows of ${T} steps are ${rows * T} steps, more than the ${maxSteps} allowed in one request`)
  return { rows, steps: T, lengths: rowLengths(x, lengths, rows, T), batched, xStep: steps === undefined ? I : 0 }
}

function checkWidth ({ shape, rank }: Tensor, I: number): void {
  if (shape[rank - 1] !== I) throw unprocessable('/x', `expected vectors of ${I} numbers (I), got ${shape[rank - 1]}`)
}

function rowLengths (x: Tensor, lengths: readonly number[] | undefined, rows: number, T: number): readonly number[] {
  if (lengths === undefined) return x.lengths ?? new Array(rows).fill(T)
  if (x.lengths !== undefined) throw unprocessable('/lengths', 'cannot be given where the rows of x are ragged: they have their lengths already')
  if (lengths.length !== rows) throw unprocessable('/lengths', `expected ${rows} lengths, one a row, got ${lengths.length}`)
  const odd = lengths.findIndex((length) => length < 1 || length > T)
  if (odd >= 0) throw unprocessable(`/lengths/${odd}`, `expected 1 to ${T} (T), got ${lengths[odd]}`)
  return lengths
}

/**
 * The state of every row: a copy, `[B, width]`, of what the request gave; zeros where it gave nothing.
 *
 * @throws InputError where the given does not fit.
 */
export function expandState (given: Tensor | undefined, field: 'h_in' | 'c_in', rows: number, width: number): Float32Array {
  const state = new Float32Array(rows * width)
  if (given === undefined) return state
  const { shape, rank, data } = given
  const size = field === 'h_in' ? 'Hi' : 'Ho'
  if (shape[rank - 1] !== width) throw unprocessable(`/${field}`, `expected vectors of ${width} numbers (${size}), got ${shape[rank - 1]}`)
  if (rank === 2 && shape[0] !== rows) throw unprocessable(`/${field}`, `expected ${rows} rows as x has (or one vector for all), got ${shape[0]}`)
  if (rank === 2) state.set(data)
  else for (let row = 0; row < rows; row++) state.set(data, row * width)
  return state
}
