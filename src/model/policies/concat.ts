import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'
import { createWiring, WIRING } from './wiring.ts'

const readOptions = optionsOf('concat', WIRING)

/** `h_in = [h, v]`, with `v` from the request. */
export const concat: PolicyKind = {
  name: 'concat',
  summary: 'h_in = [h, v] with vectors v from the request; needs Hi = Ho + D.',
  create: (options, model) => createWiring({ ...readOptions(options), h_in: ['h', 'vectors'] }, model, '/feedback')
}
