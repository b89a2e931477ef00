import { quantile, type Distribution } from '../series/distribution.ts'
import { roundUp, tidy } from './ticks.ts'

/** The values that a scale covers: the middle 98 %, or all. */
export type Range = 'robust' | 'full'

/** How values map to colours: around zero if some are negative, otherwise from low to high. */
export interface Scale {
  readonly kind: 'diverging' | 'sequential'
  readonly low: number
  readonly high: number
}

const TAIL = 0.01
const MANTISSAS = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10]

/** A scale whose ends are round numbers, so that it changes rarely while an answer streams in. */
export function scaleOf (distribution: Distribution, range: Range): Scale {
  const { count, least, greatest } = distribution
  if (count === 0) return { kind: 'sequential', low: 0, high: 1 }
  const low = range === 'full' ? least : quantile(distribution, TAIL)
  const high = range === 'full' ? greatest : quantile(distribution, 1 - TAIL)
  if (least < 0) {
    const end = ceiling(Math.max(Math.abs(low), Math.abs(high)) || Math.max(-least, greatest))
    return { kind: 'diverging', low: -end, high: end }
  }
  if (range === 'full' || low === high) return { kind: 'sequential', low: 0, high: high > 0 ? ceiling(high) : 1 }
  const step = roundUp((high - low) / 10, [1, 2, 5, 10])
  return { kind: 'sequential', low: tidy(Math.floor(low / step) * step), high: tidy(Math.ceil(high / step) * step) }
}

function ceiling (value: number): number {
  return roundUp(value, MANTISSAS)
}
