import { ACTIVATIONS, type DenseActivation } from '../description.ts'
import { quote } from '../import-error.ts'
import { Refusal } from '../refusal.ts'

/** How the program that wrote a file defines the names in it. */
export interface Dialect {
  /** The program's name and version, for reports. */
  readonly format: string
  /** The slope of `hard_sigmoid`: 0.2 in Keras 2 and TensorFlow.js, 1/6 in Keras 3. */
  readonly hardSigmoid: number
}

/** The name of a layer's activation; `linear` if it has none. A custom activation is an object. */
function nameOf (activation: unknown): string {
  if (activation === undefined || activation === null) return 'linear'
  return quote(activation)
}

/** @throws Refusal if the service does not support the activation for a dense layer. */
export function denseActivation (activation: unknown): DenseActivation {
  const name = nameOf(activation)
  const found = name === 'linear' ? 'none' : ACTIVATIONS.find((each) => each === name && each !== 'none')
  if (found === undefined) throw new Refusal(`has the activation ${name}; supported: linear, ${ACTIVATIONS.filter((each) => each !== 'none').join(', ')}`)
  return found
}

/** @throws Refusal if the service does not support the activation for a cell. */
export function cellActivation (activation: unknown): 'tanh' | 'relu' {
  const name = nameOf(activation)
  if (name === 'tanh' || name === 'relu') return name
  throw new Refusal(`has the activation ${name}; supported: tanh and relu`)
}

/** The hard sigmoid of an LSTM's or GRU's gates; undefined for the sigmoid. @throws Refusal */
export function gateActivation (activation: unknown, { hardSigmoid }: Dialect): { slope: number } | undefined {
  const name = nameOf(activation)
  if (name === 'sigmoid') return undefined
  if (name === 'hard_sigmoid') return { slope: hardSigmoid }
  throw new Refusal(`has the recurrent activation ${name}; supported: sigmoid and hard_sigmoid`)
}
