import { PLAIN } from '../../network/network.ts'
import { NoContext } from './contexts.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'

const readOptions = optionsOf('identity', {})

/** `h_in = h`. */
export const identity: PolicyKind = {
  name: 'identity',
  summary: 'h_in = h; needs Hi = Ho.',
  create (options, { sizes: { Hi, Ho } }) {
    readOptions(options)
    if (Hi !== Ho) throw new Error(`policy identity needs Hi = Ho, this cell has Hi = ${Hi} and Ho = ${Ho}`)
    return { wiring: PLAIN, context: NoContext }
  }
}
