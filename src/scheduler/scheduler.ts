import { setImmediate } from 'node:timers/promises'
import { InputError } from '../errors.ts'
import type { Batch, Row } from './batch.ts'
import type { Caller } from './cancellation.ts'
import type { Meter } from './meter.ts'
import type { Work } from './task.ts'

/** Takes the rows of any number of requests through one cell. */
export interface Scheduler {
  /**
   * Takes every row of `work` through its steps.
   *
   * @throws InputError where the arithmetic overflows, the feedback fails, or the caller has gone or waited too long; other
   *   work is not touched by that.
   */
  run (work: Work, caller: Caller): Promise<void>
}

interface Job {
  readonly caller: Caller
  readonly accepted: number
  begun: boolean
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
export function createScheduler (model: string, batch: Batch, meter: Meter): Scheduler {
  const queue: LiveRow[] = []
  let ticking = false

  async function tick (): Promise<void> {
    ticking = true
    // Requests that came in the same turn of the event loop share the first batch; one that came alone waits for nobody.
    await setImmediate()
    let turn = performance.now()
    while (queue.length > 0) {
      const now = performance.now()
      const rows = queue.splice(0, batch.maxRows).filter((row) => isWanted(row, now))
      meter.queued(model, queue.length)
      const pending = rows.length > 0 ? advance(rows, now) : undefined
      if (pending !== undefined) await pending
      if (pending !== undefined || performance.now() - turn > TURN) {
        await setImmediate()
        turn = performance.now()
      }
    }
    ticking = false
  }

  /** Rows that nobody waits for leave here, before they are computed. */
  function isWanted ({ job }: LiveRow, now: number): boolean {
    if (job.failed) return false
    if (job.caller.gone) fail(job, new InputError('gone', { path: '', message: 'the caller has gone' }))
    else if (now > job.caller.deadline) fail(job, new InputError('late', { path: '', message: 'the answer was not ready in the time allowed' }))
    else if (!job.begun) {
      job.begun = true
      meter.began(model, (now - job.accepted) / 1000)
    }
    return !job.failed
  }

  function advance (rows: readonly LiveRow[], start: number): Promise<void> | undefined {
    const steps = batch.reach(rows, queue.length > 0 ? SHARE_IN_A_CROWD : 1)
    const done = (): void => {
      meter.computed(model, rows.length, steps, (performance.now() - start) / 1000)
      rows.forEach((_, i) => collect(rows, i, steps))
    }
    const failed = (error: unknown): void => { for (const { job } of rows) fail(job, error) }
    try {
      const pending = batch.advance(rows, steps)
      if (pending !== undefined) return pending.then(done).catch(failed)
      done()
    } catch (error) {
      failed(error)
    }
    return undefined
  }

  function collect (rows: readonly LiveRow[], i: number, steps: number): void {
    const row = rows[i]
    const { job, work, index } = row
    if (job.failed) return
    try {
      batch.collect(rows, i, steps)
    } catch (error) {
      fail(job, error)
    }
    work.pace?.reached(index, row.t)
    if (job.failed) return
    if (row.t === work.lengths[index]) {
      if (--job.rowsLeft === 0) job.resolve()
    } else if (work.pace !== undefined && row.t >= work.pace.limit) {
      work.pace.park(() => enter(row))
    } else {
      queue.push(row)
    }
  }

  function enter (row: LiveRow): void {
    queue.push(row)
    if (!ticking) tick()
  }

  function fail (job: Job, reason: unknown): void {
    job.failed = true
    job.reject(reason)
  }

  return {
    async run (work, caller) {
      await new Promise<void>((resolve, reject) => {
        const job: Job = { caller, accepted: performance.now(), begun: false, rowsLeft: work.rows, failed: false, resolve, reject }
        for (let index = 0; index < work.rows; index++) enter({ job, work, index, t: 0 })
      })
    }
  }
}
