import Type from '../../tensor/typebox.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'
import { createWiring, WIRING } from './wiring.ts'

const readOptions = optionsOf('attention', {
  ...WIRING,
  // With their defaults, for GET /models.
  residual: Type.Optional(Type.Boolean({ default: false })),
  combine: Type.Optional(Type.Enum(['concat', 'sum'], { default: 'concat' }))
})

/**
 * Matching Networks' read (Vinyals et al. 2016, appendix A.1): `a = softmax(h . s_i)`, `r = sum a_i s_i`, and
 * `h_in = [h, r]` or `h + r`. With `residual` the policy's `h` is `h + x`.
 */
export const attention: PolicyKind = {
  name: 'attention',
  summary: 'h_in = [h, r] or h + r, with r an attention read of the request\'s support; needs Hi = 2 Ho or Hi = Ho.',
  create (options, model) {
    const { combine = 'concat', read = {}, ...rest } = readOptions(options)
    const parts = ['h', 'read']
    return createWiring({ read, h_in: combine === 'concat' ? parts : { sum: parts }, ...rest }, model, '/feedback')
  }
}
