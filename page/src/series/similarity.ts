import type { Series } from './series.ts'
import type { Work } from './slices.ts'

/** The most multiplications for all pairs of units; if more would be needed, only a sample of the steps is used. */
const BUDGET = 6e7
const FEWEST_STEPS = 32

/**
 * The units in an order in which similar ones are next to each other: average-linkage clustering by correlation over time
 * (nearest-neighbour chain, quadratic time), with branches flipped so that the ends that meet are most alike (Gruvaeus and Wainer,
 * 1972). Units that never change are similar to none, and come last.
 */
export function * similarity (series: Series, units: Uint32Array): Work<Uint32Array> {
  const { vectors, width, live, still } = yield * standardized(series, units)
  if (live.length === 0) return still
  const distances = yield * distancesOf(vectors, width, live.length)
  const apart = (a: number, b: number): number => 1 - dot(vectors, width, a, b)
  const leaves = yield * cluster(distances, live.length, apart)
  return Uint32Array.from([...leaves.map((i) => live[i]), ...still])
}

interface Standardized {
  /** `[live units][width]`, each of mean 0 and length 1. */
  readonly vectors: Float64Array
  readonly width: number
  readonly live: Uint32Array
  readonly still: Uint32Array
}

/**
 * The units' values, standardized, at all steps or at a sample: one step from each of equal stretches, at a varying offset so that
 * sampling cannot miss a periodic pattern.
 */
function * standardized ({ size, steps, values }: Series, units: Uint32Array): Work<Standardized> {
  const most = Math.max(FEWEST_STEPS, Math.floor(2 * BUDGET / Math.max(1, units.length) ** 2))
  const width = Math.min(steps, most)
  const stretch = steps / Math.max(1, width)
  const chosen = Uint32Array.from({ length: width }, (_, i) => Math.floor((i + (width < steps ? chance(i) : 0)) * stretch))
  const vectors = new Float64Array(units.length * width)
  const live: number[] = []
  const still: number[] = []
  for (const unit of units) {
    const at = live.length * width
    let mean = 0
    for (let i = 0; i < width; i++) mean += (vectors[at + i] = values[chosen[i] * size + unit]) / width
    let squares = 0
    for (let i = 0; i < width; i++) squares += (vectors[at + i] -= mean) ** 2
    // A constant unit differs from its mean only by rounding.
    if (squares > 1e-12 * width * mean * mean) {
      const scale = 1 / Math.sqrt(squares)
      for (let i = 0; i < width; i++) vectors[at + i] *= scale
      live.push(unit)
    } else {
      still.push(unit)
    }
    yield
  }
  return { vectors, width, live: Uint32Array.from(live), still: Uint32Array.from(still) }
}

/** A number from 0 to 1, the same for the same index: the fractions of multiples of the golden ratio. */
function chance (index: number): number {
  return (index * 0.6180339887498949) % 1
}

/** One minus the correlation of all pairs: `[count][count]`. */
function * distancesOf (vectors: Float64Array, width: number, count: number): Work<Float32Array> {
  const distances = new Float32Array(count * count)
  for (let a = 1; a < count; a++) {
    const first = a * width
    let b = 0
    // Four at a time, so that each number of the first is read once for all of them.
    for (; b + 4 <= a; b += 4) {
      const [b0, b1, b2, b3] = [b * width, (b + 1) * width, (b + 2) * width, (b + 3) * width]
      let s0 = 0
      let s1 = 0
      let s2 = 0
      let s3 = 0
      for (let i = 0; i < width; i++) {
        const value = vectors[first + i]
        s0 += value * vectors[b0 + i]
        s1 += value * vectors[b1 + i]
        s2 += value * vectors[b2 + i]
        s3 += value * vectors[b3 + i]
      }
      distances[a * count + b] = 1 - s0
      distances[a * count + b + 1] = 1 - s1
      distances[a * count + b + 2] = 1 - s2
      distances[a * count + b + 3] = 1 - s3
    }
    for (; b < a; b++) distances[a * count + b] = 1 - dot(vectors, width, a, b)
    for (b = 0; b < a; b++) distances[b * count + a] = distances[a * count + b]
    yield
  }
  return distances
}

function dot (vectors: Float64Array, width: number, a: number, b: number): number {
  let sum = 0
  for (let i = 0; i < width; i++) sum += vectors[a * width + i] * vectors[b * width + i]
  return sum
}

/**
 * Joins mutually nearest clusters until one is left; returns its leaves in order.
 *
 * @param distances of all pairs; overwritten with those of the clusters, each stored in the place of one of its leaves.
 */
function * cluster (distances: Float32Array, count: number, apart: (a: number, b: number) => number): Work<number[]> {
  const leaves: number[][] = Array.from({ length: count }, (_, i) => [i])
  const alive = Array.from({ length: count }, (_, i) => i)
  const chain: number[] = []
  while (alive.length > 1) {
    if (chain.length === 0) chain.push(alive[0])
    const last = chain[chain.length - 1]
    const before = chain[chain.length - 2]
    // In a tie, prefer the previous one: otherwise the chain could form a cycle.
    let nearest = before ?? (alive[0] === last ? alive[1] : alive[0])
    let least = distances[last * count + nearest]
    for (const other of alive) {
      const distance = distances[last * count + other]
      if (distance < least && other !== last) {
        least = distance
        nearest = other
      }
    }
    yield
    if (nearest !== before) {
      chain.push(nearest)
      continue
    }
    chain.length -= 2
    const share = leaves[last].length / (leaves[last].length + leaves[before].length)
    for (const other of alive) {
      const distance = share * distances[last * count + other] + (1 - share) * distances[before * count + other]
      distances[last * count + other] = distances[other * count + last] = distance
    }
    leaves[last] = join(leaves[before], leaves[last], apart)
    alive.splice(alive.indexOf(before), 1)
  }
  return leaves[alive[0]]
}

/** Concatenates two rows of leaves, each possibly reversed, so that the leaves that meet are most alike. */
function join (first: number[], second: number[], apart: (a: number, b: number) => number): number[] {
  const end = (leaves: readonly number[]): number => leaves[leaves.length - 1]
  const choices = [
    apart(end(first), second[0]),
    apart(first[0], second[0]),
    apart(end(first), end(second)),
    apart(first[0], end(second))
  ]
  const best = choices.indexOf(Math.min(...choices))
  if (best === 1 || best === 3) first.reverse()
  if (best === 2 || best === 3) second.reverse()
  return first.concat(second)
}
