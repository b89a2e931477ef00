import { describe, type Misfit } from './tensor.ts'

/**
 * Checks a value that should be integers: one, a list, or a list of lists that may differ in length.
 *
 * @param ranks the accepted ranks; a single integer has rank 0.
 */
export function findMisplaced (value: unknown, ranks: readonly number[]): Misfit | undefined {
  const rank = rankOf(value)
  if (!ranks.includes(rank)) return { path: '', message: `expected ${ranks.map((one) => NESTS[one]).join(' or ')}, got ${rank < NESTS.length ? NESTS[rank] : `arrays nested ${rank} deep`}`, wellFormed: false }
  return findIn(value, rank, '')
}

const NESTS = ['an integer', 'an array of integers', 'an array of arrays of integers']

/** How many arrays begin here, one inside the other. */
function rankOf (value: unknown): number {
  let rank = 0
  for (let inner = value; Array.isArray(inner); [inner] = inner) rank++
  return rank
}

function findIn (value: unknown, rank: number, path: string): Misfit | undefined {
  if (rank === 0) return Number.isInteger(value) ? undefined : { path, message: `expected an integer, got ${describe(value)}`, wellFormed: false }
  if (!Array.isArray(value)) return { path, message: `expected ${NESTS[rank]}, got ${describe(value)}`, wellFormed: false }
  if (value.length === 0) return { path, message: 'is empty', wellFormed: true }
  for (const [i, inner] of value.entries()) {
    if (rank === 1 && Number.isInteger(inner)) continue
    const misfit = findIn(inner, rank - 1, `${path}/${i}`)
    if (misfit !== undefined) return misfit
  }
  return undefined
}
