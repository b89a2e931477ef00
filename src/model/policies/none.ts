import { sizesOf } from '../../network/layers.ts'
import { contextOf } from './contexts.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'
import { plainReadout } from './readout.ts'

const readOptions = optionsOf('none', {})

/** Only the client knows the feedback, so a request is one step. */
export const none: PolicyKind = {
  name: 'none',
  summary: 'Only the client knows the feedback: one step per request.',
  create (options, { layers, tensor, readout }) {
    readOptions(options)
    return { initial: 'read', x: sizesOf(layers).I, context: contextOf({}), readout: readout && plainReadout(readout, layers, tensor) }
  }
}
