import Type from '../../../tensor/typebox.ts'
import { compile } from '../../../tensor/schema.ts'
import { GATES, type CellKind } from '../../../network/cell.ts'
import type { Floats } from '../../../weights/layouts/floats.ts'
import { GATE_ORDER } from '../../../weights/layouts/options.ts'
import type { Recurrent, Weights } from '../description.ts'
import { quote } from '../import-error.ts'
import { Refusal } from '../refusal.ts'
import { bias, expectShape, kernel, storageOf } from '../tensors.ts'
import { cellActivation, gateActivation, type Dialect } from './activations.ts'
import type { ReadTensors } from './layers.ts'
import { LayerSchema, type KerasLayer } from './topology.ts'

const KINDS: ReadonlyMap<string, CellKind> = new Map([['LSTM', 'lstm'], ['GRU', 'gru'], ['SimpleRNN', 'rnn']])

/** The order of the gates in Keras; its `c` is `g`, its `h` is `n`. */
const KERAS_GATES: Readonly<Record<CellKind, string>> = { lstm: 'ifgo', gru: 'zrn', rnn: 'h' }

const readConfig = compile(Type.Object({
  units: Type.Integer({ minimum: 1 }),
  activation: Type.Optional(Type.Unknown()),
  recurrent_activation: Type.Optional(Type.Unknown()),
  use_bias: Type.Boolean({ default: true }),
  return_sequences: Type.Boolean({ default: false }),
  go_backwards: Type.Boolean({ default: false }),
  time_major: Type.Boolean({ default: false }),
  reset_after: Type.Boolean({ default: false })
}))

/** An LSTM, a GRU or a SimpleRNN. @throws Refusal, ImportError */
export function recurrent (name: string, { class_name: className, config }: KerasLayer, tensors: ReadTensors, dialect: Dialect): Recurrent {
  const cell = KINDS.get(className)
  if (cell === undefined) throw new Refusal(`is a ${quote(className)}`)
  const { units, activation, recurrent_activation: gates, go_backwards: backwards, time_major: timeMajor, ...options } = readConfig(config, '/config')
  if (backwards) throw new Refusal('goes backwards')
  if (timeMajor) throw new Refusal('has time_major')
  // Before Keras 2.0, a GRU multiplies by r before the matrix, not after it.
  if (cell === 'gru' && !options.reset_after) throw new Refusal('is a GRU with reset_after=False, whose equation differs from that of PyTorch and of Keras since 2.0')
  const hardSigmoid = cell === 'rnn' ? undefined : gateActivation(gates, dialect)
  const form = { cell, activation: cellActivation(activation), ...(hardSigmoid !== undefined && { hardSigmoid }) }
  return { kind: 'recurrent', name, ...form, directions: [weightsOf(cell, units, options.use_bias, tensors())], gives: options.return_sequences ? 'steps' : 'last' }
}

function weightsOf (cell: CellKind, units: number, useBias: boolean, [matrix, recurrentMatrix, vector]: readonly Floats[]): Weights {
  const storage = storageOf(GATE_ORDER[cell], KERAS_GATES[cell], true)
  const rows = GATES[cell] * units
  const weightIh = kernel(expectShape('kernel', matrix, [matrix?.shape[0] ?? 0, rows]), storage)
  const weightHh = kernel(expectShape('recurrent_kernel', recurrentMatrix, [units, rows]), storage)
  if (!useBias) return { weightIh, weightHh }
  if (cell !== 'gru') return { weightIh, weightHh, biasIh: bias(expectShape('bias', vector, [rows]).data, storage) }
  const { data } = expectShape('bias', vector, [2, rows])
  return { weightIh, weightHh, biasIh: bias(data.subarray(0, rows), storage), biasHh: bias(data.subarray(rows), storage) }
}

const readBoth = compile(Type.Object({ merge_mode: Type.Optional(Type.Unknown()), layer: LayerSchema, backward_layer: Type.Optional(LayerSchema) }))

/** Two directions: the first half of the tensors is the forward one's. @throws Refusal, ImportError */
export function bidirectional (name: string, config: unknown, tensors: ReadTensors, dialect: Dialect): Recurrent {
  const { merge_mode: merge, layer, backward_layer: other } = readBoth(config, '/config')
  if (merge !== 'concat') throw new Refusal(`is a Bidirectional that merges by ${quote(merge)}; only concat is supported`)
  const all = tensors()
  const half = (at: 0 | 1) => () => all.slice(at * all.length / 2, (at + 1) * all.length / 2)
  const forward = recurrent(name, layer, half(0), dialect)
  const backward = recurrent(name, other === undefined ? layer : { ...other, config: { ...other.config, go_backwards: other.config.go_backwards !== true } }, half(1), dialect)
  if (likeness(forward) !== likeness(backward)) throw new Refusal('is a Bidirectional whose two directions differ')
  return { ...forward, directions: [forward.directions[0], backward.directions[0]], gives: forward.gives === 'steps' ? 'steps' : 'states' }
}

function likeness ({ cell, activation, hardSigmoid, directions: [{ weightHh }] }: Recurrent): string {
  return JSON.stringify([cell, activation, hardSigmoid?.slope, weightHh.shape])
}
