import { concat as join, part } from '../../network/feed.ts'
import { PLAIN } from '../../network/network.ts'
import { VectorsContext } from './contexts.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'

const readOptions = optionsOf('concat', {})

/** `h_in = [h, v]`, and the request brings `v`. */
export const concat: PolicyKind = {
  name: 'concat',
  summary: 'h_in = [h, v] with vectors v from the request; needs Hi = Ho + D.',
  create (options, { sizes: { Hi, Ho } }) {
    readOptions(options)
    if (Hi <= Ho) throw new Error(`policy concat needs Hi > Ho, this cell has Hi = ${Hi} and Ho = ${Ho}`)
    return { wiring: { ...PLAIN, h: join(part('h'), part('vectors')) }, context: VectorsContext, vectors: Hi - Ho }
  }
}
