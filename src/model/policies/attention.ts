import Type from 'typebox'
import { concat, part, type Feed } from '../../network/feed.ts'
import { PLAIN } from '../../network/network.ts'
import { SupportContext } from './contexts.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'

const readOptions = optionsOf('attention', {
  combine: Type.Optional(Type.Enum(['concat', 'sum'], { default: 'concat' })),
  residual: Type.Optional(Type.Boolean({ default: false }))
})

/**
 * Matching Networks' read (Vinyals et al. 2016, appendix A.1): `a = softmax(h . s_i)`, `r = sum a_i s_i`, and
 * `h_in = [h, r]` or `h + r`. With `residual` the policy's `h` is `h + x`.
 */
export const attention: PolicyKind = {
  name: 'attention',
  summary: 'h_in = [h, r] or h + r, with r an attention read of the request\'s support; needs Hi = 2 Ho or Hi = Ho.',
  create (options, { sizes: { I, Hi, Ho } }) {
    const { combine = 'concat', residual = false } = readOptions(options)
    const needed = combine === 'concat' ? 2 * Ho : Ho
    if (Hi !== needed) throw new Error(`policy attention with combine ${combine} needs Hi = ${needed} for Ho = ${Ho}, this cell has Hi = ${Hi}`)
    if (residual && I !== Ho) throw new Error(`policy attention with residual needs I = Ho, this cell has I = ${I} and Ho = ${Ho}`)
    const parts = [part('h'), part('read')]
    const h: Feed = combine === 'concat' ? concat(...parts) : { kind: 'sum', of: parts }
    return {
      wiring: { ...PLAIN, h, residual, read: { score: 'dot', scale: 1, query: part('h'), support: Ho } },
      context: SupportContext
    }
  }
}
