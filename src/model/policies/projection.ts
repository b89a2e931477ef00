import Type from 'typebox'
import { linearFeedback } from './linear.ts'
import { NoContext, optionsOf, policyWithoutContext } from './options.ts'
import type { PolicyKind } from './policy.ts'

const readOptions = optionsOf('projection', {
  weight: Type.String({ minLength: 1 }),
  bias: Type.Optional(Type.String({ minLength: 1 }))
})

/** `h_in = P h + p`, with `P` and `p` from the model's own file. */
export const projection: PolicyKind = {
  name: 'projection',
  summary: 'h_in = P h + p, with tensors weight [Hi, Ho] and bias [Hi] of the model\'s file.',
  context: NoContext,
  create (options, { sizes: { Hi, Ho }, tensor }) {
    const names = readOptions(options)
    const read = (name: string, expected: readonly number[]): Float32Array => {
      const { shape, data } = tensor(name)
      if (shape.join() !== expected.join()) {
        throw new Error(`tensor ${name}: policy projection expects shape [${expected.join(', ')}], found [${shape.join(', ')}]`)
      }
      return data
    }
    const weight = read(names.weight, [Hi, Ho])
    const bias = names.bias === undefined ? new Float32Array(Hi) : read(names.bias, [Hi])
    return policyWithoutContext(({ steps }) => linearFeedback({ repeat: 0, projection: { weight, bias } }, Ho, steps))
  }
}
