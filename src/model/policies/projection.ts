import Type from 'typebox'
import { part } from '../../network/feed.ts'
import { PLAIN } from '../../network/network.ts'
import { NoContext } from './contexts.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'

const readOptions = optionsOf('projection', {
  weight: Type.String({ minLength: 1 }),
  bias: Type.Optional(Type.String({ minLength: 1 }))
})

/** `h_in = P h + p`, with `P` and `p` from the model's own file. */
export const projection: PolicyKind = {
  name: 'projection',
  summary: 'h_in = P h + p, with tensors weight [Hi, Ho] and bias [Hi] of the model\'s file.',
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
    const linear = { in: Ho, out: Hi, weight, bias, activation: 'none' } as const
    return { wiring: { ...PLAIN, h: { kind: 'linear', linear, of: part('h') } }, context: NoContext }
  }
}
