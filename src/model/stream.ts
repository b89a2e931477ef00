import type { Cancellation } from '../scheduler/cancellation.ts'
import type { WindowReader } from '../scheduler/output-window.ts'
import { stepAnswer, type SequenceStep } from './answers.ts'
import type { Outline } from './request.ts'
import type { Served } from './tasks.ts'

/** About how many numbers of output can wait to be read. */
const MAX_WAITING = 2 ** 16

/** How many steps of output can wait to be read. */
export function streamRoom ({ rows, steps }: Outline, width: number): number {
  return Math.min(steps, Math.max(1, Math.floor(MAX_WAITING / (rows * width))))
}

/**
 * Reads the steps of a task as they are computed, a few at a time. If the reader stops early, the call is cancelled.
 *
 * @param done the task's end, whose failure is thrown here.
 */
export async function * readSteps (served: Served, window: WindowReader, done: Promise<unknown>, outline: Outline, call: Cancellation): AsyncGenerator<readonly SequenceStep[], void> {
  done.catch(window.fail)
  // Parked rows would not notice that their deadline has passed.
  const wait = call.deadline - performance.now() + 2
  const timer = Number.isFinite(wait) ? setTimeout(window.release, wait) : undefined
  let t = 0
  try {
    while (t < outline.steps) {
      const ready = await window.beyond(t)
      yield Array.from({ length: ready - t }, (_, i) => stepAnswer(served, t + i, outline))
      t = ready
      window.read(t)
    }
  } finally {
    clearTimeout(timer)
    if (t < outline.steps) call.cancelled = true
    window.release()
  }
}
