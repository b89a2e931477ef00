import Type, { type Static } from 'typebox'
import { InputError } from '../../errors.ts'
import type { CellKind } from '../../network/cell.ts'

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

/** What is wrong with an option, for this file. */
export function wrongOption (option: keyof CellOptions, message: string): InputError {
  return new InputError('malformed', { path: `/cell/${option}`, message })
}

/** @throws InputError if options are not for cells of this kind. */
export function checkOptions ({ activation, gates, forget_bias: forgetBias }: CellOptions, kind: CellKind): void {
  const is = `and this is ${KIND_NAMES[kind]}`
  if (activation !== undefined && kind !== 'rnn') throw wrongOption('activation', `is for an RNN, ${is}`)
  if (forgetBias !== undefined && kind !== 'lstm') throw wrongOption('forget_bias', `is for an LSTM, ${is}`)
  if (gates === undefined) return
  if (kind === 'rnn') throw wrongOption('gates', `is for an LSTM or a GRU, ${is}`)
  const order = GATE_ORDER[kind]
  if ([...gates].sort().join('') !== [...order].sort().join('')) {
    throw wrongOption('gates', `expected the letters ${order} in some order, for ${KIND_NAMES[kind]}, found ${JSON.stringify(gates.slice(0, 40))}`)
  }
}
