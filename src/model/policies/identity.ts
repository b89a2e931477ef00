import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'
import { createWiring, WIRING } from './wiring.ts'

const readOptions = optionsOf('identity', WIRING)

/** `h_in = h`; in a stack, each layer reads its own `h`. */
export const identity: PolicyKind = {
  name: 'identity',
  summary: 'h_in = h; needs Hi = Ho.',
  create: (options, model) => createWiring(readOptions(options), model, '/feedback')
}
