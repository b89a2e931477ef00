import { setImmediate } from 'node:timers/promises'
import { MAX_ROWS, type Batch, type Row } from './batch.ts'
import type { Work } from './work.ts'

/** Takes the rows of any number of requests through one cell. */
export interface Scheduler {
  /**
   * Takes every row of `work` through its steps.
   *
   * @throws Refusal where the arithmetic overflows or the feedback fails; other work is not touched by that.
   */
  run (work: Work): Promise<void>
}

interface Job {
  rowsLeft: number
  failed: boolean
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

interface LiveRow extends Row {
  readonly job: Job
}

/** How much of the usual work a call of the engine may do while others wait. */
const SHARE_IN_A_CROWD = 1 / 8
/** For how long the event loop may be kept from its other work, in milliseconds. */
const TURN = 0.5

/**
 * Cellular batching, after Gao et al., EuroSys 2018: each call of the engine has a batch of its own, of whatever rows are
 * live, so rows join and leave between steps. Rows take turns. While nobody waits, runs of many steps are one call.
 */
export function createScheduler (batch: Batch): Scheduler {
  const queue: LiveRow[] = []
  let ticking = false

  async function tick (): Promise<void> {
    ticking = true
    // Requests that came in the same turn of the event loop share the first batch; one that came alone waits for nobody.
    await setImmediate()
    let turn = performance.now()
    while (queue.length > 0) {
      const rows = queue.splice(0, MAX_ROWS).filter(({ job }) => !job.failed)
      const pending = advance(rows)
      if (pending !== undefined) await pending
      if (pending !== undefined || performance.now() - turn > TURN) {
        await setImmediate()
        turn = performance.now()
      }
    }
    ticking = false
  }

  function advance (rows: readonly LiveRow[]): Promise<void> | undefined {
    if (rows.length === 0) return undefined
    const steps = batch.reach(rows, queue.length > 0 ? SHARE_IN_A_CROWD : 1)
    try {
      const pending = batch.advance(rows, steps)
      if (pending !== undefined) return pending.then(() => collect(rows, steps), (error) => failAll(rows, error))
      collect(rows, steps)
    } catch (error) {
      failAll(rows, error)
    }
    return undefined
  }

  function collect (rows: readonly LiveRow[], steps: number): void {
    rows.forEach((row, i) => {
      const { job, work, index } = row
      if (job.failed) return
      try {
        batch.collect(rows, i, steps)
      } catch (error) {
        fail(job, error)
        return
      }
      if (row.t < work.lengths[index]) queue.push(row)
      else if (--job.rowsLeft === 0) job.resolve()
    })
  }

  function failAll (rows: readonly LiveRow[], reason: unknown): void {
    for (const { job } of rows) fail(job, reason)
  }

  function fail (job: Job, reason: unknown): void {
    job.failed = true
    job.reject(reason)
  }

  return {
    async run (work) {
      await new Promise<void>((resolve, reject) => {
        const job: Job = { rowsLeft: work.rows, failed: false, resolve, reject }
        for (let index = 0; index < work.rows; index++) queue.push({ job, work, index, t: 0 })
        if (!ticking) tick()
      })
    }
  }
}
