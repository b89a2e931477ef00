import Type, { type Static } from 'typebox'
import type { CellKind } from '../../network/cell.ts'
import { LayoutError } from './floats.ts'

/** `cell` of a `config.json`: what the tensors of a file do not tell. */
export const CellOptionsSchema = Type.Object({
  /** What the cell is, if the shape of `W_hh` does not say it. */
  kind: Type.Optional(Type.Enum(['lstm', 'gru', 'rnn'])),
  /** Of an RNN; tanh unless said. */
  activation: Type.Optional(Type.Enum(['tanh', 'relu'])),
  /** The order in which the gates are stored: those of an LSTM, `ifgo` unless said, or of a GRU, `rzn`. */
  gates: Type.Optional(Type.String()),
  /** Whether the kernels are stored `[I, G Ho]` and `[Hi, G Ho]`. */
  transposed: Type.Optional(Type.Boolean()),
  /** What is added to an LSTM's `b_f`, for code that adds it as it runs. */
  forget_bias: Type.Optional(Type.Number()),
  /** Which network of a file that has several: the path of its module. */
  prefix: Type.Optional(Type.String())
}, { additionalProperties: false })
export type CellOptions = Static<typeof CellOptionsSchema>

/** The gates of each kind in the order of `Cell`, a letter each. */
export const GATE_ORDER: Readonly<Record<CellKind, string>> = { lstm: 'ifgo', gru: 'rzn', rnn: 'h' }

/** What a kind is called in messages. */
export const KIND_NAMES: Readonly<Record<CellKind, string>> = { lstm: 'an LSTM', gru: 'a GRU', rnn: 'an RNN' }

/** @throws LayoutError if options are not for cells of this kind. */
export function checkOptions ({ activation, gates, forget_bias: forgetBias }: CellOptions, kind: CellKind): void {
  const refuse = (option: string, message: string): LayoutError => new LayoutError(`"cell": {"${option}"} in config.json: ${message}`)
  const is = `and this is ${KIND_NAMES[kind]}`
  if (activation !== undefined && kind !== 'rnn') throw refuse('activation', `is for an RNN, ${is}`)
  if (forgetBias !== undefined && kind !== 'lstm') throw refuse('forget_bias', `is for an LSTM, ${is}`)
  if (gates === undefined) return
  if (kind === 'rnn') throw refuse('gates', `is for an LSTM or a GRU, ${is}`)
  const order = GATE_ORDER[kind]
  if ([...gates].sort().join('') !== [...order].sort().join('')) {
    throw refuse('gates', `expected the letters ${order} in some order, for ${KIND_NAMES[kind]}, found ${JSON.stringify(gates.slice(0, 40))}`)
  }
}
