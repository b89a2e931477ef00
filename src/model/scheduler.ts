import { setImmediate } from 'node:timers/promises'
import type { CellSizes } from '../cell.ts'
import type { Batch, Stepper } from '../engine/engine.ts'
import { unprocessable } from '../refusal.ts'
import type { Work } from './work.ts'

/** Steps the rows of any number of requests through one cell. */
export interface Scheduler {
  /**
   * Takes every row of `work` through its steps.
   *
   * @throws Refusal where the arithmetic overflows or the feedback fails; other work is not touched by that.
   */
  run (work: Work): Promise<void>
}

/** One live row. */
interface Row {
  readonly job: Job
  readonly index: number
  /** The step that it takes next. */
  t: number
}

interface Job {
  readonly work: Work
  rowsLeft: number
  failed: boolean
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** As many rows as one read of the weights serves well. */
const MAX_ROWS = 64

/**
 * Cellular batching, after Gao et al., EuroSys 2018: the batch is made anew for each step, of whatever rows are live, so
 * rows join and leave between steps.
 */
export function createScheduler (stepper: Stepper, { I, Hi, Ho }: CellSizes): Scheduler {
  // Rows take turns: those that have stepped go to the end.
  const queue: Row[] = []
  const batch = {
    x: new Float32Array(MAX_ROWS * I),
    hIn: new Float32Array(MAX_ROWS * Hi),
    cIn: new Float32Array(MAX_ROWS * Ho),
    hOut: new Float32Array(MAX_ROWS * Ho),
    cOut: new Float32Array(MAX_ROWS * Ho)
  } satisfies Omit<Batch, 'rows'>
  let ticking = false

  async function tick (): Promise<void> {
    ticking = true
    // Requests that came in the same turn of the event loop share the first batch; one that came alone waits for nobody.
    await setImmediate()
    while (queue.length > 0) {
      const rows = queue.splice(0, MAX_ROWS).filter(({ job }) => !job.failed)
      try {
        rows.forEach(gather)
        await stepper.step({ ...batch, rows: rows.length })
        rows.forEach(scatter)
      } catch (error) {
        for (const { job } of rows) fail(job, error)
      }
      await setImmediate()
    }
    ticking = false
  }

  function gather ({ job: { work }, index, t }: Row, i: number): void {
    copy(work.x, index * work.xRow + t * work.xStep, batch.x, i * I, I)
    copy(work.hIn, index * Hi, batch.hIn, i * Hi, Hi)
    copy(work.c, index * Ho, batch.cIn, i * Ho, Ho)
  }

  function scatter (row: Row, i: number): void {
    const { job, index, t } = row
    const { work } = job
    const at = index * Ho
    if (job.failed) return
    copy(batch.hOut, i * Ho, work.h, at, Ho)
    copy(batch.cOut, i * Ho, work.c, at, Ho)
    work.feedback.adjust?.(batch.x, i * I, work.h, at)
    row.t++
    try {
      if (work.feedback.knows(row.t)) work.feedback.next(index, row.t, work.h, at, work.hIn, index * Hi)
    } catch (error) {
      fail(job, error)
      return
    }
    if (!isFinite(work.h, at, Ho) || !isFinite(work.c, at, Ho) || !isFinite(work.hIn, index * Hi, Hi)) {
      fail(job, unprocessable('/x', `row ${index}, step ${t}: the arithmetic overflows float32; the inputs are too large for these weights`))
      return
    }
    if (work.output !== undefined) copy(work.h, at, work.output, (index * work.steps + t) * Ho, Ho)
    if (row.t < work.lengths[index]) queue.push(row)
    else if (--job.rowsLeft === 0) job.resolve()
  }

  function fail (job: Job, reason: unknown): void {
    job.failed = true
    job.reject(reason)
  }

  return {
    async run (work) {
      await new Promise<void>((resolve, reject) => {
        const job: Job = { work, rowsLeft: work.rows, failed: false, resolve, reject }
        for (let index = 0; index < work.rows; index++) queue.push({ job, index, t: 0 })
        if (!ticking) tick()
      })
    }
  }
}

function copy (from: Float32Array, fromAt: number, to: Float32Array, toAt: number, length: number): void {
  for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i]
}

function isFinite (values: Float32Array, at: number, length: number): boolean {
  // A product with zero is zero, but for infinities and NaN; the sum keeps those.
  let sum = 0
  for (let i = 0; i < length; i++) sum += values[at + i] * 0
  return sum === 0
}
