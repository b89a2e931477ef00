import type { Output } from '../engine/program.ts'
import { unprocessable } from '../errors.ts'
import { allFinite, copyNumbers } from '../tensor/tensor.ts'
import { setOf, type LivePass, type Selection, type StageQueue } from './stage-queue.ts'
import type { Task } from './task.ts'

/** The most floats of an input, an output or attention weights in one call of the engine. */
const MAX_FLOATS = 2 ** 16

/**
 * How many steps these rows can take in one call: until the first row reaches its end or its limit, or there is enough work. A step
 * reads all weights, however few rows it has, which takes about as long as the multiply-adds of one more row.
 */
export function reachOf ({ program, budget }: StageQueue, { passes, rows, work, supports, asked, length }: Selection, share: number): number {
  let steps = Math.min(budget * share / (work + work / length), MAX_FLOATS / (length * widest(program, asked)))
  let attention = false
  for (let i = 0; i < length; i++) {
    const { pass, task: { task }, t } = passes[i]
    const row = rows[i]
    if (pass.host !== undefined) return 1
    attention ||= pass.attention !== undefined
    steps = Math.min(steps, limitOf(passes[i]) - t[row], task.lengths[row] - t[row])
  }
  if (attention) steps = Math.min(steps, MAX_FLOATS / (length * supports))
  return Math.max(1, Math.floor(steps))
}

function widest ({ inputs, outputs }: StageQueue['program'], asked: number): number {
  let width = 1
  for (const stream of inputs) width = Math.max(width, stream.width)
  for (let k = 0; k < outputs.length; k++) {
    if (isMade(outputs[k], k, asked)) width = Math.max(width, outputs[k].width)
  }
  return width
}

/** Whether output k is written. */
function isMade (output: Output, k: number, asked: number): boolean {
  return !output.asked || (asked >> k & 1) === 1
}

/** The step before which a row has to wait for the reader of its output. */
export function limitOf ({ index, task: { task } }: LivePass): number {
  return task.window === undefined || index < task.passes.length - 1 ? Infinity : task.window.limit
}

/** Runs `steps` steps of the selected rows in the engine; `finishSteps` then copies the results to each row. */
export function callSteps (stage: StageQueue, selection: Selection, steps: number): void | Promise<void> {
  const { batch, program: { inputs, outputs } } = stage
  const { length, asked } = selection
  gatherStates(stage, selection)
  let repeated = 0
  for (let k = 0; k < inputs.length; k++) {
    if (gatherInput(stage, selection, k, steps)) repeated |= 1 << k
  }
  for (let k = 0; k < outputs.length; k++) {
    if (isMade(outputs[k], k, asked)) batch.output(k, steps * length * outputs[k].width)
  }
  return batch.advance(length, steps, { repeated, asked, attention: attachMemories(stage, selection, steps) })
}

/** Makes in the engine what feeds the first step of the selected rows, which all start alike. */
export function callStart (stage: StageQueue, selection: Selection): void | Promise<void> {
  const { start = [] } = selection.passes[0].pass
  gatherStates(stage, selection)
  const attention = attachMemories(stage, selection, 1)
  return start.reduce<void | Promise<void>>((before, { from, to }) => {
    const next = (): void | Promise<void> => stage.batch.start(selection.length, from, to, { attention })
    return before === undefined ? next() : before.then(next)
  }, undefined)
}

/** Makes in the engine what would feed the step after the last one of the selected rows. */
export function callPeek (stage: StageQueue, selection: Selection): void | Promise<void> {
  gatherStates(stage, selection)
  for (let k = 0; k < stage.program.inputs.length; k++) gatherInput(stage, selection, k, 1)
  return stage.batch.peek(selection.length)
}

function gatherStates ({ batch, program: { state: { width } } }: StageQueue, { passes, rows, length }: Selection): void {
  // Consecutive rows of a task are copied together.
  for (let i = 0, next; i < length; i = next) {
    next = i + 1
    while (next < length && passes[next] === passes[i] && rows[next] === rows[i] + next - i) next++
    copyNumbers(passes[i].pass.state, rows[i] * width, batch.states[0], i * width, (next - i) * width)
  }
}

/** @returns whether all rows read the same at every step, so that one step of the input is enough. */
function gatherInput ({ batch, program }: StageQueue, { passes, rows, length }: Selection, k: number, steps: number): boolean {
  const { width } = program.inputs[k]
  const backward = program.stage.direction === 'backward'
  let same = true
  for (let i = 0; i < length; i++) same &&= passes[i].pass.inputs[k].stepStride === 0
  const count = same ? 1 : steps
  const buffer = batch.input(k, count * length * width)
  for (let i = 0; i < length; i++) {
    const { pass: { inputs }, task: { task }, t } = passes[i]
    const { data, rowStride, stepStride, index } = inputs[k]
    const row = rows[i]
    const last = task.lengths[row] - 1
    if (length === 1 && !backward && index === undefined && stepStride === width && t[row] + count - 1 <= last) {
      copyNumbers(data, row * rowStride + t[row] * stepStride, buffer, 0, count * width)
      continue
    }
    for (let s = 0; s < count; s++) {
      // What a peek reads beyond the end is the same at every step.
      const step = Math.min(t[row] + s, last)
      const at = row * rowStride + (backward ? last - step : step) * stepStride
      copyNumbers(data, index === undefined ? at : index[at] * width, buffer, (s * length + i) * width, width)
    }
  }
  return same
}

/** @returns the width of attention weights, 0 if no row asks for them. */
function attachMemories ({ batch, program }: StageQueue, { passes, rows, length, supports }: Selection, steps: number): number {
  if (program.attention === undefined) return 0
  let asked = false
  for (let i = 0; i < length; i++) {
    const { memory, attention } = passes[i].pass
    if (memory !== undefined) batch.attach(i, memory, setOf(memory.counts, rows[i]))
    asked ||= attention !== undefined
  }
  if (!asked) return 0
  batch.attention(steps * length * supports)
  return supports
}

/**
 * Copies the new state and the outputs to the `i`th selected row.
 *
 * @throws InputError if its numbers overflow, once it has the outputs of the steps before.
 */
export function finishSteps ({ batch, program: { outputs, state, stage } }: StageQueue, { passes, rows, length, supports }: Selection, i: number, steps: number): void {
  const { pass, task: { task }, t } = passes[i]
  const row = rows[i]
  const width = state.width
  copyNumbers(batch.states[steps % 2], i * width, pass.state, row * width, width)
  // Outputs that are answered, but not kept in a state that the next step reads, are checked here.
  const y = pass.sinks.find((sink) => outputs[sink.output].name === 'y')?.output
  const isFinite = (k: number, s: number): boolean => allFinite(batch.output(k, 0), (s * length + i) * outputs[k].width, outputs[k].width)
  const isGood = (s: number): boolean => isFinite(0, s) && (y === undefined || isFinite(y, s))
  let good = 0
  while (good < steps && isGood(good)) good++
  const last = task.lengths[row] - 1
  for (const { output: k, kept: { data, entries, width: stride }, offset, shift, last: isLast } of pass.sinks) {
    const { width } = outputs[k]
    const buffer = batch.output(k, 0)
    const entry = (t[row] + shift) % entries
    if (length === 1 && stage.direction === 'forward' && stride === width && entry + good <= entries) {
      copyNumbers(buffer, 0, data, (row * entries + entry) * stride, good * width)
      continue
    }
    for (let s = 0; s < good; s++) {
      const step = stage.direction === 'backward' ? last - (t[row] + s) : t[row] + s
      if (isLast === true && step !== last) continue
      copyNumbers(buffer, (s * length + i) * width, data, (row * entries + (step + shift) % entries) * stride + offset, width)
    }
  }
  if (pass.attention !== undefined) {
    const buffer = batch.attention(0)
    for (let s = 0; s < good; s++) keepAttention(pass.attention, row, t[row] + s + 1, buffer, (s * length + i) * supports, supports)
  }
  t[row] += good
  if (good < steps) throw overflow(task, row, t[row])
  // The state need not be checked between steps: what the next step computes from it is checked.
  if (t[row] > last && !allFinite(pass.state, row * width, width)) throw overflow(task, row, last)
}

/** Copies what feeds the first step to the `i`th selected row. */
export function finishStart ({ batch, program: { state: { width }, outputs, read } }: StageQueue, { passes, rows, supports }: Selection, i: number): void {
  const { pass } = passes[i]
  const row = rows[i]
  if (pass.looks !== true) copyNumbers(batch.states[0], i * width, pass.state, row * width, width)
  for (const { output, kept, offset, initial } of pass.sinks) {
    if (initial !== undefined) copyNumbers(pass.state, row * width + initial.offset, kept.data, row * kept.entries * kept.width + offset, outputs[output].width)
  }
  // A start without the read leaves the weights of another call in the buffer.
  const reads = pass.start?.some(({ from }) => from <= read) === true
  if (reads && pass.attention !== undefined) keepAttention(pass.attention, row, 0, batch.attention(0), i * supports, supports)
}

/** Copies the `h_in` that would feed the next step to the `i`th selected row. */
export function finishPeek ({ batch, program: { state: { width } } }: StageQueue, hIn: { readonly offset: number, readonly width: number }, { passes, rows }: Selection, i: number): void {
  copyNumbers(batch.states[1], i * width + hIn.offset, passes[i].pass.state, rows[i] * width + hIn.offset, hIn.width)
}

/** Keeps an entry of attention weights; the first of them belong to the row's own supports. */
function keepAttention ({ data, entries, width }: NonNullable<LivePass['pass']['attention']>, row: number, entry: number, from: Float32Array, at: number, made: number): void {
  copyNumbers(from, at, data, (row * entries + entry % entries) * width, Math.min(width, made))
}

function overflow ({ field }: Task, row: number, t: number): Error {
  return unprocessable(field, `row ${row}, step ${t}: the arithmetic overflows float32; the inputs are too large for these weights`)
}
