import { linearFeedback } from './linear.ts'
import { NoContext, optionsOf, policyWithoutContext } from './options.ts'
import type { PolicyKind } from './policy.ts'

const readOptions = optionsOf('identity', {})

/** `h_in = h`: the standard LSTM, and the default where `Hi = Ho`. */
export const identity: PolicyKind = {
  name: 'identity',
  summary: 'h_in = h, the standard LSTM; the default where Hi = Ho.',
  context: NoContext,
  create (options, { sizes: { Hi, Ho } }) {
    readOptions(options)
    if (Hi !== Ho) throw new Error(`policy identity needs Hi = Ho, this cell has Hi = ${Hi} and Ho = ${Ho}`)
    return policyWithoutContext(({ steps }) => linearFeedback({ repeat: 1 }, Ho, steps))
  }
}
