import { Tensor } from '../tensor/tensor.ts'
import type { Call } from '../scheduler/cancellation.ts'
import type { PacedReader } from '../scheduler/output-window.ts'
import type { Outline } from './request.ts'
import type { Work } from '../scheduler/task.ts'

/** One step of a sequence. */
export interface SequenceStep {
  readonly t: number
  /** `[B][Ho]`, zeros past a row's length. */
  readonly output: Tensor
  /** `[B][N]`, where the request asked for attention weights. */
  readonly weights?: Tensor
}

/** About this many numbers of output may wait for their reader. */
const MAX_WAITING = 2 ** 16

/** How many steps of output there is to be room for. */
export function streamRoom ({ rows, steps }: Outline, Ho: number): number {
  return Math.min(steps, Math.max(1, Math.floor(MAX_WAITING / (rows * Ho))))
}

/**
 * Reads the steps of a work as they are computed, some at a time. Once nobody asks for more, the call is cancelled.
 *
 * @param done the work's end, whose failure is thrown here.
 */
export async function * readSteps (work: Work, pace: PacedReader, done: Promise<void>, outline: Outline, call: Call): AsyncGenerator<readonly SequenceStep[], void> {
  done.catch(pace.fail)
  // Parked rows would not see their time pass.
  const wait = call.deadline - performance.now() + 2
  const timer = Number.isFinite(wait) ? setTimeout(pace.release, wait) : undefined
  let t = 0
  try {
    while (t < outline.steps) {
      const ready = await pace.beyond(t)
      yield Array.from({ length: ready - t }, (_, i) => stepOf(work, outline, t + i))
      t = ready
      pace.read(t)
    }
  } finally {
    clearTimeout(timer)
    if (t < outline.steps) call.cancelled = true
    pace.release()
  }
}

function stepOf ({ output, outputSteps, feedback: { weights } }: Work, outline: Outline, t: number): SequenceStep {
  if (output === undefined) throw new Error('a work without output has no steps to read')
  return {
    t,
    output: gather(output, outputSteps, t, outline),
    ...(weights !== undefined && { weights: gather(weights.data, outline.steps, t, outline) })
  }
}

/** Step `t` of every row of `[B, S, width]`, zeros past a row's length. */
function gather (data: Float32Array, S: number, t: number, { rows, lengths, batched }: Outline): Tensor {
  const width = data.length / (rows * S)
  const step = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++) {
    const at = (row * S + t % S) * width
    if (t < lengths[row]) step.set(data.subarray(at, at + width), row * width)
  }
  return new Tensor(batched ? [rows, width] : [width], step)
}
