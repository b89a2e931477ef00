import { sizesOf } from '../../network/layers.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'
import { createWiring, WIRING } from './wiring.ts'

const readOptions = optionsOf('repeat', WIRING)

/** `h_in = [h, h, ...]`, with as many copies as fill it. */
export const repeat: PolicyKind = {
  name: 'repeat',
  summary: 'h_in = [h, h, ...], as often as fills it; needs Hi = n Ho.',
  create (options, model) {
    const { Hi, Ho } = sizesOf(model.layers)
    const times = Math.max(1, Math.floor(Hi / Ho))
    return createWiring({ ...readOptions(options), h_in: new Array<string>(times).fill('h') }, model, '/feedback')
  }
}
