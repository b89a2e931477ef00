import type { States } from '../network/states.ts'
import type { Kept } from '../scheduler/task.ts'
import { zeros } from '../tensor/floats.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Shape } from './network.ts'
import type { Outline } from './request.ts'
import type { KeptPart } from './kept-steps.ts'
import type { Served } from './tasks.ts'

/** Shapes include `[B]`; an answer omits it if its request does. */
export interface StepAnswer {
  /** `[B][Ho]`; in a stack, one vector per node, concatenated. */
  readonly h_out: Tensor
  /** `[B][Ho]`, for an LSTM. */
  readonly c_out?: Tensor
  /** `[B]` tokens, if the request asks for them. */
  readonly state?: string | readonly string[]
  /** `[B][K]`, if the readout is computed from the step alone; at the end of a stream, if it is computed once per row. */
  readonly y?: Tensor
}

/** The states that a sequence has reached. */
export interface SequenceStates extends StepAnswer {
  /** `[B][Hi]`: what the wiring would feed to the next step; left out if only the client knows. */
  readonly h_next?: Tensor
}

export interface SequenceAnswer extends SequenceStates {
  /** `[B][T][D * Ho]`, or `[B][1][D * Ho]` for the last steps alone. */
  readonly output: Tensor
  /** `[B][T][K]`; `[B][1][K]` for the last steps alone, or if it is computed once per row. */
  readonly y?: Tensor
  /** `[B][T][...]` or `[B][T + 1][...]`, or `[B][1][...]` for the last entries alone. */
  readonly parts?: Readonly<Record<string, Tensor>>
}

/** One step of a sequence. */
export interface SequenceStep {
  readonly t: number
  /** `[B][D * Ho]`, zeros beyond a row's length. */
  readonly output?: Tensor
  /** `[B][K]`, zeros beyond a row's length. */
  readonly y?: Tensor
  /** `[B][...]`: the step's own entry, or the one computed after it for the next step. */
  readonly parts?: Readonly<Record<string, Tensor>>
}

/** The states that a task has reached. */
export function statesAnswer (served: Served, shape: Shape, { rows, batched }: Outline): SequenceStates {
  const gather = (letter: string, width: number): Tensor => new Tensor(batched ? [rows, width] : [width], numbersOf(letter, width))
  const numbersOf = (letter: string, width: number): Float32Array => {
    // One row of one node is answered as a view, without a copy.
    if (rows === 1 && shape.places.length === 1) return stateOf(served, shape.places[0].stage).of(0, `${letter}${shape.places[0].node}`)
    const data = zeros(rows * width)
    let at = 0
    for (const { stage, node } of shape.places) at += stateOf(served, stage).take(`${letter}${node}`, data, width, at)
    return data
  }
  const h = gather('h', shape.hOut)
  const next = served.next()
  return {
    h_out: h,
    ...(shape.c > 0 && { c_out: gather('c', shape.c) }),
    ...(next !== undefined && { h_next: next === 'h' ? h : hNext(served, shape, rows, batched) })
  }
}

function hNext (served: Served, { hIn }: Shape, rows: number, batched: boolean): Tensor {
  const data = zeros(rows * hIn)
  stateOf(served, 0).take('h_in', data, hIn, 0)
  return new Tensor(batched ? [rows, hIn] : [hIn], data)
}

function stateOf ({ states }: Served, stage: number): States {
  // A step of the bare network goes through a stage of its own.
  return states[Math.min(stage, states.length - 1)]
}

/** All steps, or each row's last. */
export function outputAnswer (served: Served, outline: Outline, { output: width, places }: Shape, sequences: boolean): Tensor {
  const { output } = served
  if (output !== undefined) return keptAnswer(output, outline, sequences)
  const { rows, batched } = outline
  const last = zeros(rows * width)
  stateOf(served, 0).take(`h${places.length - 1}`, last, width, 0)
  return new Tensor(batched ? [rows, 1, width] : [1, width], last)
}

/** The readout of all steps, of each row's last step, or of each row, if one is kept. */
export function yAnswer ({ y, yOnce }: Served, outline: Outline, sequences: boolean): { y?: Tensor } {
  if (yOnce !== undefined) return { y: keptAnswer(yOnce, outline, false) }
  return y === undefined ? {} : { y: keptAnswer(y, outline, sequences) }
}

/** The readout of a step. */
export function stepY ({ y }: Served, outline: Outline): { y?: Tensor } {
  return oneY(y, outline)
}

/** The readout that is computed once per row, answered with the states. */
export function rowY ({ yOnce }: Served, outline: Outline): { y?: Tensor } {
  return oneY(yOnce, outline)
}

/** A readout without a step dimension, if one is kept. */
function oneY (y: Kept | undefined, { rows, batched }: Outline): { y?: Tensor } {
  return y === undefined ? {} : { y: new Tensor(batched ? [rows, y.width] : [y.width], y.data) }
}

function keptAnswer (kept: Kept, { rows, steps, lengths, batched }: Outline, sequences: boolean): Tensor {
  const { width } = kept
  if (sequences) return new Tensor(batched ? [rows, steps, width] : [steps, width], kept.data)
  const last = zeros(rows * width)
  lengths.forEach((length, row) => { last.set(entryOf(kept, row, length - 1), row * width) })
  return new Tensor(batched ? [rows, 1, width] : [1, width], last)
}

/** The parts that a request asked for, by name. */
export function partsAnswer (parts: ReadonlyMap<string, KeptPart>, { rows, batched }: Outline): { parts?: Record<string, Tensor> } {
  if (parts.size === 0) return {}
  return {
    parts: Object.fromEntries([...parts].map(([name, { kept: { data, entries, width } }]) =>
      [name, new Tensor(batched ? [rows, entries, width] : [entries, width], data)]))
  }
}

/** A step as one line of a stream. */
export function stepAnswer (served: Served, t: number, outline: Outline): SequenceStep {
  return numberedStep(served, t, t, outline)
}

/** A step of a sequence, with `number` as its `t`. */
export function numberedStep ({ output, y, parts }: Served, t: number, number: number, outline: Outline): SequenceStep {
  return {
    t: number,
    ...(output !== undefined && { output: gatherStep(output, t, t, outline) }),
    ...(y !== undefined && { y: gatherStep(y, t, t, outline) }),
    ...(parts.size > 0 && { parts: Object.fromEntries([...parts].map(([name, { kept, part }]) => [name, gatherStep(kept, t, part.next ? t + 1 : t, outline)])) })
  }
}

/** An entry of every row, zeros beyond a row's length. */
function gatherStep (kept: Kept, t: number, entry: number, { rows, lengths, batched }: Outline): Tensor {
  const { width } = kept
  const step = zeros(rows * width)
  for (let row = 0; row < rows; row++) {
    if (t < lengths[row]) step.set(entryOf(kept, row, entry), row * width)
  }
  return new Tensor(batched ? [rows, width] : [width], step)
}

function entryOf ({ data, entries, width }: Kept, row: number, entry: number): Float32Array {
  const at = (row * entries + entry % entries) * width
  return data.subarray(at, at + width)
}
