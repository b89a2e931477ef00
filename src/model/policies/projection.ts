import { LAYER } from './grammar.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'
import { createWiring, WIRING } from './wiring.ts'

const readOptions = optionsOf('projection', { ...WIRING, ...LAYER })

/** `h_in = P h + p`, with `P` and `p` from the model's own file. */
export const projection: PolicyKind = {
  name: 'projection',
  summary: 'h_in = P h + p, with tensors weight [Hi, Ho] and bias [Hi] of the model\'s file.',
  create (options, model) {
    const { weight, bias, transposed, ...rest } = readOptions(options)
    return createWiring({ ...rest, h_in: { weight, bias, transposed, of: 'h' } }, model, '/feedback')
  }
}
