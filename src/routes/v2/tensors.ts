import type { Model } from '../../model/model.ts'
import { tensorFields } from '../../tensor/schema.ts'

/** The Open Inference Protocol's metadata of a model's input or output; a free size is -1. */
export interface TensorMetadata {
  readonly name: string
  readonly datatype: string
  readonly shape: readonly number[]
}

/** A size that the request decides. */
const FREE = -1

/** The inputs of a model: those of a sequence, which include those of a step. */
export function inputsOf ({ shape, policy: { policy: { context, vectors } }, wiring }: Model): TensorMetadata[] {
  const { sequence: { width, embedding }, hIn, Ho, c, directions } = shape
  const own = wiring?.read
  const widths: Readonly<Record<string, number | undefined>> = { vectors, support: own?.support }
  return [
    ...(embedding === undefined ? [] : [integers('ids', FREE, FREE)]),
    ...(embedding === undefined && width > 0 ? [floats('x', FREE, FREE, width)] : []),
    integers('lengths', FREE),
    floats('h_in', FREE, hIn),
    ...(c > 0 ? [floats('c_in', FREE, c)] : []),
    ...(directions === 1 && (wiring !== undefined || c === 0) ? [floats('h_0', FREE, Ho)] : []),
    ...tensorFields(context).map((name) => floats(name, FREE, FREE, widths[name] ?? FREE)),
    ...(own === undefined ? [] : [integers('support_lengths', FREE)])
  ]
}

/** What a request asks for: a step of the bare network, a sequence, or a part of a sequence that the service keeps. */
export type Kind = 'step' | 'sequence' | 'kept'

/** The outputs of each kind of request. */
export function outputsOf (model: Model): Readonly<Record<Kind, readonly TensorMetadata[]>> {
  const { shape: { output, hOut, c, hIn, directions, step, sequence }, wiring, parts: offered } = model
  const states = [floats('h_out', FREE, hOut), ...(c > 0 ? [floats('c_out', FREE, c)] : [])]
  const y = (width: number, ...axes: number[]): TensorMetadata[] => width > 0 ? [floats('y', ...axes, width)] : []
  const steps = [floats('output', FREE, FREE, output), ...y(sequence.y, FREE, FREE)]
  const parts = offered.map(({ name, width = FREE }) => floats(PARTS + name, FREE, FREE, width))
  const next = wiring !== undefined && directions === 1 ? [floats('h_next', FREE, hIn)] : []
  return {
    step: directions === 1 ? [...states, ...y(step.y, FREE)] : [],
    sequence: [...steps, ...states, ...next, ...parts],
    kept: directions === 1 ? [...steps, ...parts] : []
  }
}

/** The prefix of the names of parts, as in a safetensors document. */
export const PARTS = 'parts/'

function floats (name: string, ...shape: number[]): TensorMetadata {
  return { name, datatype: 'FP32', shape }
}

function integers (name: string, ...shape: number[]): TensorMetadata {
  return { name, datatype: 'INT64', shape }
}
