import type { CellSizes } from '../network/cell.ts'
import type { LinearFeedback, Stepper } from '../engine/engine.ts'
import { unprocessable } from '../errors.ts'
import { allFinite } from '../tensor/tensor.ts'
import type { Work } from './task.ts'

/** One live row of a request. */
export interface Row {
  readonly work: Work
  readonly index: number
  /** The step that it takes next. */
  t: number
}

/** The most multiply-adds in one call of the engine: about a millisecond of work, after which others have their turn. */
const MAX_WORK = 2 ** 24
/** The most floats of `x`, or of output, in one call of the engine. */
const MAX_FLOATS = 2 ** 16

/** The buffers in which rows of different requests meet for one call of the engine. */
export interface Batch {
  /** The most rows that a call takes. */
  readonly maxRows: number
  /**
   * How many steps these rows can take in one call: one, but where the engine can do their feedback by itself.
   *
   * @param share of the usual work: less where others wait.
   */
  reach (rows: readonly Row[], share: number): number
  /** Takes the rows through so many steps. */
  advance (rows: readonly Row[], steps: number): void | Promise<void>
  /**
   * Hands the `i`th of these rows what it has become, and makes its next `h_in`.
   *
   * @throws InputError where its numbers overflow, or its feedback fails.
   */
  collect (rows: readonly Row[], i: number, steps: number): void
}

export function createBatch (stepper: Stepper, { I, Hi, Ho }: CellSizes, maxRows: number): Batch {
  const hIn = new Float32Array(maxRows * Hi)
  const c = new Float32Array(maxRows * Ho)
  const cOut = new Float32Array(maxRows * Ho)
  let x = new Float32Array(maxRows * I)
  let output = new Float32Array(maxRows * Ho)
  let vectors = new Float32Array(0)
  // Where the latest call left the cell states.
  let states = cOut

  function gather (rows: readonly Row[], steps: number): void {
    const n = rows.length
    x = atLeast(x, steps * n * I)
    output = atLeast(output, steps * n * Ho)
    rows.forEach(({ work, index, t }, i) => {
      for (let s = 0; s < steps; s++) copy(work.x, index * work.xRow + (t + s) * work.xStep, x, (s * n + i) * I, I)
      copy(work.hIn, index * Hi, hIn, i * Hi, Hi)
      copy(work.c, index * Ho, c, i * Ho, Ho)
    })
  }

  /** All rows have the policy of the same model, so they differ in their vectors alone. */
  function gatherFeedback (rows: readonly Row[], steps: number): LinearFeedback {
    const { repeat = 0, projection, vectors: source } = rows[0].work.feedback.linear ?? {}
    if (projection !== undefined) return { repeat, projection }
    if (source === undefined) return { repeat }
    const n = rows.length
    const D = source.size
    vectors = atLeast(vectors, (steps - 1) * n * D)
    rows.forEach(({ work, index, t }, i) => {
      const own = work.feedback.linear?.vectors ?? source
      for (let s = 1; s < steps; s++) copy(own.data, own.offset(index, t + s), vectors, ((s - 1) * n + i) * D, D)
    })
    return { repeat, vectors: { data: vectors, perStep: true } }
  }

  return {
    maxRows,

    reach (rows, share) {
      if (stepper.run === undefined) return 1
      let steps = Math.min(MAX_WORK * share / (rows.length * 4 * Ho * (I + Hi)), MAX_FLOATS / (rows.length * Math.max(I, Hi)))
      for (const { work, index, t } of rows) {
        if (work.feedback.linear === undefined) return 1
        steps = Math.min(steps, Math.min(work.lengths[index], work.pace?.limit ?? Infinity) - t)
      }
      return Math.max(1, Math.floor(steps))
    },

    advance (rows, steps) {
      gather(rows, steps)
      if (steps === 1 || stepper.run === undefined) {
        states = cOut
        return stepper.step({ rows: rows.length, x, hIn, cIn: c, hOut: output, cOut })
      }
      states = c
      return stepper.run({ steps, rows: rows.length, x, sameX: false, hIn, c, output, feedback: gatherFeedback(rows, steps) })
    },

    collect (rows, i, steps) {
      const row = rows[i]
      const { work, index } = row
      const n = rows.length
      const at = index * Ho
      for (let s = 0; s < steps; s++, row.t++) {
        copy(output, (s * n + i) * Ho, work.h, at, Ho)
        work.feedback.adjust?.(x, (s * n + i) * I, work.h, at)
        if (!allFinite(work.h, at, Ho)) throw overflow(index, row.t)
        if (work.output !== undefined) copy(work.h, at, work.output, (index * work.outputSteps + row.t % work.outputSteps) * Ho, Ho)
      }
      copy(states, i * Ho, work.c, at, Ho)
      if (!work.feedback.knows(row.t)) return
      work.feedback.next(index, row.t, work.h, at, work.hIn, index * Hi)
      // Between the steps it need not be checked: what the next step makes of it is.
      if (row.t === work.lengths[index] && !allFinite(work.hIn, index * Hi, Hi)) throw overflow(index, row.t - 1)
    }
  }
}

function overflow (row: number, t: number): Error {
  return unprocessable('/x', `row ${row}, step ${t}: the arithmetic overflows float32; the inputs are too large for these weights`)
}

function atLeast (buffer: Float32Array<ArrayBuffer>, length: number): Float32Array<ArrayBuffer> {
  return buffer.length >= length ? buffer : new Float32Array(length)
}

function copy (from: Float32Array, fromAt: number, to: Float32Array, toAt: number, length: number): void {
  for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i]
}
