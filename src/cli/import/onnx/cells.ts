import { GATES, type CellKind } from '../../../network/cell.ts'
import { GATE_ORDER } from '../../../weights/layouts/options.ts'
import type { Floats } from '../../../weights/layouts/floats.ts'
import type { Recurrent, Weights } from '../description.ts'
import { quote } from '../import-error.ts'
import { Refusal } from '../refusal.ts'
import { bias, expectShape, kernel, storageOf } from '../tensors.ts'
import type { Attribute, Node } from './messages.ts'

export const KINDS: ReadonlyMap<string, CellKind> = new Map([['LSTM', 'lstm'], ['GRU', 'gru'], ['RNN', 'rnn']])

/** The order of the gates in ONNX; its `c` is `g`, its `h` is `n`. */
const ONNX_GATES: Readonly<Record<CellKind, string>> = { lstm: 'iofg', gru: 'zrn', rnn: 'h' }

/** The default activations of a direction: the gates', then the cell's. */
const DEFAULTS: Readonly<Record<CellKind, readonly string[]>> = { lstm: ['Sigmoid', 'Tanh', 'Tanh'], gru: ['Sigmoid', 'Tanh'], rnn: ['Tanh'] }

/** The inputs of an LSTM, a GRU or an RNN that are constants. */
export interface CellInputs {
  readonly W: Floats
  readonly R: Floats
  readonly B: Floats | undefined
}

/** @throws Refusal, ImportError */
export function cellOf (name: string, { type, attributes }: Node, { W, R, B }: CellInputs): Recurrent {
  const cell = KINDS.get(type)
  if (cell === undefined) throw new Refusal(`is a ${quote(type)}`)
  const direction = attributes.get('direction')?.text ?? 'forward'
  if (direction !== 'forward' && direction !== 'reverse' && direction !== 'bidirectional') throw new Refusal(`has the direction ${quote(direction)}`)
  if (attributes.has('clip')) throw new Refusal('has a clip')
  if ((attributes.get('input_forget')?.int ?? 0) !== 0) throw new Refusal('has input_forget')
  if (cell === 'gru' && attributes.get('linear_before_reset')?.int !== 1) throw new Refusal('is a GRU with linear_before_reset=0 (Keras\'s reset_after=False), whose equation differs from that of PyTorch')
  const D = direction === 'bidirectional' ? 2 : 1
  const form = activationsOf(cell, D, attributes)

  const H = attributes.get('hidden_size')?.int ?? R.shape[2] ?? 0
  const rows = GATES[cell] * H
  expectShape('W', W, [D, rows, W.shape[2] ?? 0])
  expectShape('R', R, [D, rows, H])
  if (B !== undefined) expectShape('B', B, [D, 2 * rows])
  const weights = (d: number): Weights => weightsOf(cell, rows, part(W, d), part(R, d), B && part(B, d))
  return { kind: 'recurrent', name, cell, ...form, directions: D === 1 ? [weights(0)] : [weights(0), weights(1)], gives: 'steps' }
}

/** A direction's part of a tensor. */
function part ({ shape: [D, ...shape], data }: Floats, d: number): Floats {
  const size = data.length / D
  return { shape, data: data.subarray(d * size, (d + 1) * size) }
}

function weightsOf (cell: CellKind, rows: number, W: Floats, R: Floats, B: Floats | undefined): Weights {
  const storage = storageOf(GATE_ORDER[cell], ONNX_GATES[cell], false)
  return {
    weightIh: kernel(W, storage),
    weightHh: kernel(R, storage),
    ...(B !== undefined && { biasIh: bias(B.data.subarray(0, rows), storage), biasHh: bias(B.data.subarray(rows), storage) })
  }
}

function activationsOf (cell: CellKind, D: number, attributes: ReadonlyMap<string, Attribute>): Pick<Recurrent, 'activation' | 'hardSigmoid'> {
  const defaults = DEFAULTS[cell]
  const given = attributes.get('activations')?.texts ?? []
  const all = given.length === 0 ? new Array<readonly string[]>(D).fill(defaults).flat() : given
  const [first, ...others] = Array.from({ length: D }, (_, d) => all.slice(d * defaults.length, (d + 1) * defaults.length).map((name) => name.toLowerCase()))
  const refuse = (): never => { throw new Refusal(`has the activations ${quote(all.join(', '))}`) }
  if (all.length !== D * defaults.length || others.some((other) => other.join() !== first.join())) return refuse()
  const activation = first[first.length - 1]
  if ((activation !== 'tanh' && activation !== 'relu') || (cell === 'lstm' && first[1] !== activation)) return refuse()
  if (cell === 'rnn' || first[0] === 'sigmoid') return { activation }
  if (first[0] !== 'hardsigmoid') return refuse()
  // These lists contain the alpha and beta of each activation that has them, in order.
  const slope = attributes.get('activation_alpha')?.floats[0] ?? 0.2
  const middle = attributes.get('activation_beta')?.floats[0] ?? 0.5
  if (middle !== 0.5) throw new Refusal(`has a HardSigmoid with beta ${middle}; only 0.5 is supported`)
  return { activation, hardSigmoid: { slope: KNOWN_SLOPES.find((known) => Math.fround(known) === Math.fround(slope)) ?? slope } }
}
/** A slope is stored as float32. */
const KNOWN_SLOPES = [0.2, 1 / 6]
