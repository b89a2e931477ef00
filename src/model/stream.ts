import type { Call } from '../scheduler/cancellation.ts'
import type { WindowReader } from '../scheduler/output-window.ts'
import type { Kept } from '../scheduler/task.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { SequenceStep } from './answers.ts'
import type { Outline } from './request.ts'
import type { Served } from './tasks.ts'

/** About this many numbers of output may wait for their reader. */
const MAX_WAITING = 2 ** 16

/** For how many steps of output there is to be room. */
export function streamRoom ({ rows, steps }: Outline, Ho: number): number {
  return Math.min(steps, Math.max(1, Math.floor(MAX_WAITING / (rows * Ho))))
}

/**
 * Reads the steps of a task as they are computed, some at a time. Once nobody asks for more, the call is cancelled.
 *
 * @param done the task's end, whose failure is thrown here.
 */
export async function * readSteps (served: Served, window: WindowReader, done: Promise<unknown>, outline: Outline, call: Call): AsyncGenerator<readonly SequenceStep[], void> {
  done.catch(window.fail)
  // Parked rows would not see their time pass.
  const wait = call.deadline - performance.now() + 2
  const timer = Number.isFinite(wait) ? setTimeout(window.release, wait) : undefined
  let t = 0
  try {
    while (t < outline.steps) {
      const ready = await window.beyond(t)
      yield Array.from({ length: ready - t }, (_, i) => stepOf(served, outline, t + i))
      t = ready
      window.read(t)
    }
  } finally {
    clearTimeout(timer)
    if (t < outline.steps) call.cancelled = true
    window.release()
  }
}

function stepOf ({ output, attention }: Served, outline: Outline, t: number): SequenceStep {
  if (output === undefined) throw new Error('a task without output has no steps to read')
  return {
    t,
    output: entryOf(output, t, outline),
    ...(attention !== undefined && { weights: entryOf(attention, t, outline) })
  }
}

/** Entry `t` of every row, zeros past a row's length. */
function entryOf ({ data, entries, width }: Kept, t: number, { rows, lengths, batched }: Outline): Tensor {
  const step = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++) {
    const at = (row * entries + t % entries) * width
    if (t < lengths[row]) step.set(data.subarray(at, at + width), row * width)
  }
  return new Tensor(batched ? [rows, width] : [width], step)
}
