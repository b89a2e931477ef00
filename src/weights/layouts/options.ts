import Type, { type Static } from '../../tensor/typebox.ts'
import { InputError } from '../../errors.ts'
import type { CellKind, GateFunction } from '../../network/cell.ts'

const CellTensorsSchema = Type.Object({
  /** Separate: `W_ih`, left out if no x is read, and `W_hh`. */
  weight_ih: Type.Optional(Type.String()),
  weight_hh: Type.Optional(Type.String()),
  bias_ih: Type.Optional(Type.String()),
  bias_hh: Type.Optional(Type.String()),
  /** One bias, or both in one tensor, with the one for x first. */
  bias: Type.Optional(Type.String()),
  /** Joint: one matrix over x and h. */
  weight: Type.Optional(Type.String()),
  /** The order of its columns; x, then h by default. */
  of: Type.Optional(Type.Array(Type.Enum(['x', 'h']), { minItems: 2, maxItems: 2 })),
  /** How many columns belong to h; Ho by default. */
  Hi: Type.Optional(Type.Integer({ minimum: 1 }))
}, { additionalProperties: false })

/** The names of a cell's tensors. */
export type CellTensors = Static<typeof CellTensorsSchema>

/** `cell` of a `config.json`: what the tensors of a file do not show. */
export const CellOptionsSchema = Type.Object({
  /** The kind of the cell, if the shape of `W_hh` does not determine it. */
  kind: Type.Optional(Type.Enum(['lstm', 'gru', 'rnn'])),
  /** The activation of an RNN's output, of an LSTM's g and its output, and of a GRU's n; tanh by default. */
  activation: Type.Optional(Type.Enum(['tanh', 'relu'])),
  /** The activation of the gates of an LSTM or a GRU; sigmoid by default. */
  recurrent_activation: Type.Optional(Type.Enum(['sigmoid', 'hard_sigmoid'])),
  /** The slope of the hard sigmoid, one of `SLOPES`; the first by default. */
  slope: Type.Optional(Type.Number()),
  /** The order in which the gates are stored; by default `ifgo` for an LSTM and `rzn` for a GRU. */
  gates: Type.Optional(Type.String()),
  /** Whether the kernels are stored `[I, G Ho]` and `[Hi, G Ho]`. */
  transposed: Type.Optional(Type.Boolean()),
  /** What is added to an LSTM's `b_f`, for code that adds it at run time. */
  forget_bias: Type.Optional(Type.Number()),
  /** The network to use in a file that has several: the path of its module. */
  prefix: Type.Optional(Type.String()),
  /** The names of its tensors, if they have names of their own; for a stack, a list with one entry per layer. */
  tensors: Type.Optional(Type.Unsafe<CellTensors | CellTensors[]>({
    ...CellTensorsSchema, type: ['object', 'array'], items: CellTensorsSchema, minItems: 1
  }))
}, { additionalProperties: false })
export type CellOptions = Static<typeof CellOptionsSchema>

/** The gates of each kind in the order of `Cell`, one letter each. */
export const GATE_ORDER: Readonly<Record<CellKind, string>> = { lstm: 'ifgo', gru: 'rzn', rnn: 'h' }

/** What a kind is called in messages. */
export const KIND_NAMES: Readonly<Record<CellKind, string>> = { lstm: 'an LSTM', gru: 'a GRU', rnn: 'an RNN' }

/** The slopes of hard sigmoids: in Keras 2, TensorFlow.js and ONNX, and in Keras 3. */
const SLOPES = [0.2, 1 / 6]

/** The error for an option that is wrong for this file. */
export function wrongOption (option: keyof CellOptions, message: string): InputError {
  return new InputError('malformed', { path: `/cell/${option}`, message })
}

/** @throws InputError if options are not for cells of this kind. */
export function checkOptions ({ recurrent_activation: recurrent, slope, gates, forget_bias: forgetBias }: CellOptions, kind: CellKind): void {
  const is = `and this is ${KIND_NAMES[kind]}`
  if (recurrent !== undefined && kind === 'rnn') throw wrongOption('recurrent_activation', `is for an LSTM or a GRU, ${is}`)
  if (slope !== undefined && recurrent !== 'hard_sigmoid') throw wrongOption('slope', 'is for "recurrent_activation": "hard_sigmoid"')
  if (slope !== undefined && slopeOf(slope) === undefined) throw wrongOption('slope', `expected 0.2, or 1/6 as 0.16666667, found ${slope}`)
  if (forgetBias !== undefined && kind !== 'lstm') throw wrongOption('forget_bias', `is for an LSTM, ${is}`)
  if (gates === undefined) return
  if (kind === 'rnn') throw wrongOption('gates', `is for an LSTM or a GRU, ${is}`)
  const order = GATE_ORDER[kind]
  if ([...gates].sort().join('') !== [...order].sort().join('')) {
    throw wrongOption('gates', `expected the letters ${order} in some order, for ${KIND_NAMES[kind]}, found ${JSON.stringify(gates.slice(0, 40))}`)
  }
}

/** The function of the gates, from options that have been checked. */
export function gateFunction ({ recurrent_activation: recurrent, slope }: CellOptions): GateFunction {
  return recurrent === 'hard_sigmoid' ? { slope: (slope === undefined ? undefined : slopeOf(slope)) ?? SLOPES[0] } : 'sigmoid'
}

/** The known slope, with all its digits, that equals the given one as a float32. */
function slopeOf (slope: number): number | undefined {
  return SLOPES.find((known) => Math.fround(known) === Math.fround(slope))
}
