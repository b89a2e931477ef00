import { concat, part } from '../../network/feed.ts'
import { PLAIN } from '../../network/network.ts'
import { NoContext } from './contexts.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'

const readOptions = optionsOf('repeat', {})

/** `h_in = [h, h, ...]`, as often as fills it. */
export const repeat: PolicyKind = {
  name: 'repeat',
  summary: 'h_in = [h, h, ...], as often as fills it; needs Hi = n Ho.',
  create (options, { sizes: { Hi, Ho } }) {
    readOptions(options)
    if (Hi % Ho !== 0) throw new Error(`policy repeat needs Hi to be a multiple of Ho, this cell has Hi = ${Hi} and Ho = ${Ho}`)
    const times = Hi / Ho
    return { wiring: times === 1 ? PLAIN : { ...PLAIN, h: concat(...new Array(times).fill(part('h'))) }, context: NoContext }
  }
}
