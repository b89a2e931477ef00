import { linearFeedback } from './linear.ts'
import { NoContext, optionsOf, policyWithoutContext } from './options.ts'
import type { PolicyKind } from './policy.ts'

const readOptions = optionsOf('repeat', {})

/** `h_in = [h, h, ...]`, as often as fills it. */
export const repeat: PolicyKind = {
  name: 'repeat',
  summary: 'h_in = [h, h, ...], as often as fills it; needs Hi = n Ho.',
  context: NoContext,
  create (options, { sizes: { Hi, Ho } }) {
    readOptions(options)
    if (Hi % Ho !== 0) throw new Error(`policy repeat needs Hi to be a multiple of Ho, this cell has Hi = ${Hi} and Ho = ${Ho}`)
    return policyWithoutContext(({ steps }) => linearFeedback({ repeat: Hi / Ho }, Ho, steps))
  }
}
