import { ACTIVATIONS, type DenseActivation } from '../description.ts'
import { quote } from '../import-error.ts'
import { Refusal } from '../refusal.ts'

/** What the program that wrote a file means by its words. */
export interface Dialect {
  /** The program, for people. */
  readonly format: string
  /** The slope of `hard_sigmoid`: 0.2 in Keras 2 and TensorFlow.js, 1/6 in Keras 3. */
  readonly hardSigmoid: number
}

/** A layer's own name for an activation; `linear` if it has none. One that is not built in is an object. */
function nameOf (activation: unknown): string {
  if (activation === undefined || activation === null) return 'linear'
  return quote(activation)
}

/** @throws Refusal if the service has no such activation for a dense layer. */
export function denseActivation (activation: unknown): DenseActivation {
  const name = nameOf(activation)
  const found = name === 'linear' ? 'none' : ACTIVATIONS.find((each) => each === name && each !== 'none')
  if (found === undefined) throw new Refusal(`has the activation ${name}; served are linear, ${ACTIVATIONS.filter((each) => each !== 'none').join(', ')}`)
  return found
}

/** @throws Refusal if no cell has that activation. */
export function cellActivation (activation: unknown): 'tanh' | 'relu' {
  const name = nameOf(activation)
  if (name === 'tanh' || name === 'relu') return name
  throw new Refusal(`has the activation ${name}; served are tanh and relu`)
}

/** What the gates of an LSTM or a GRU are; nothing if the sigmoid. @throws Refusal */
export function gateActivation (activation: unknown, { hardSigmoid }: Dialect): { slope: number } | undefined {
  const name = nameOf(activation)
  if (name === 'sigmoid') return undefined
  if (name === 'hard_sigmoid') return { slope: hardSigmoid }
  throw new Refusal(`has the recurrent activation ${name}; served are sigmoid and hard_sigmoid`)
}
