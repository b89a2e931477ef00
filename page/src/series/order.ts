import type { Series } from './series.ts'
import { similarity } from './similarity.ts'
import type { Work } from './slices.ts'

/** The order of units: unchanged, those that change most first, or similar ones next to each other. */
export type Order = 'as they are' | 'by activity' | 'by similarity'
export const ORDERS: readonly Order[] = ['as they are', 'by activity', 'by similarity']

/** With more units, the similarities of all pairs take too much memory. */
export const MOST_SIMILAR = 4096

/** Sorts the units. */
export function * ordered (series: Series, units: Uint32Array, order: Order): Work<Uint32Array> {
  if (order === 'by activity') return yield * byActivity(series, units)
  if (order === 'by similarity') return yield * similarity(series, units)
  return units
}

/** Sorts by standard deviation over time, largest first. */
function * byActivity (series: Series, units: Uint32Array): Work<Uint32Array> {
  const deviations = new Float64Array(units.length)
  for (let i = 0; i < units.length; i++) {
    deviations[i] = deviation(series, units[i])
    yield
  }
  return Uint32Array.from(units.keys()).sort((a, b) => deviations[b] - deviations[a] || a - b).map((i) => units[i])
}

function deviation ({ size, steps, values }: Series, unit: number): number {
  let mean = 0
  let squares = 0
  // Welford's algorithm, which loses no precision if the mean is large.
  for (let step = 0; step < steps; step++) {
    const delta = values[step * size + unit] - mean
    mean += delta / (step + 1)
    squares += delta * (values[step * size + unit] - mean)
  }
  return steps === 0 ? 0 : Math.sqrt(squares / steps)
}
