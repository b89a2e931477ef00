import type { Series } from './series.ts'

/**
 * The distribution of some units' values: the least, the greatest, and a histogram over the upper 16 bits of a float32 (sign,
 * exponent and seven more bits). It needs no range in advance, and later values can be added.
 */
export interface Distribution {
  /** The steps that have been counted. */
  steps: number
  count: number
  least: number
  greatest: number
  readonly bins: Uint32Array
}

const SIGN = 0x8000
const EXPONENT = 0x7f80

export function createDistribution (): Distribution {
  return { steps: 0, count: 0, least: Infinity, greatest: -Infinity, bins: new Uint32Array(2 ** 16) }
}

/** Adds the steps that have arrived since the last call. Values that are not finite are ignored. */
export function count (into: Distribution, { size, steps, values }: Series, units: Uint32Array): void {
  const bits = new Uint16Array(values.buffer, values.byteOffset, values.length * 2)
  const { bins } = into
  for (let step = into.steps; step < steps; step++) {
    for (let i = 0; i < units.length; i++) {
      const at = step * size + units[i]
      const upper = bits[2 * at + 1]
      if ((upper & EXPONENT) === EXPONENT) continue
      const value = values[at]
      if (value < into.least) into.least = value
      if (value > into.greatest) into.greatest = value
      into.count++
      // The smaller a negative number's bits, the greater the number.
      bins[upper & SIGN ? 0xffff - upper : SIGN + upper]++
    }
  }
  into.steps = steps
}

/**
 * The value that a share of the values does not exceed, with the precision of a bin (seven bits), and between the least and the
 * greatest value.
 *
 * @param share from 0 to 1.
 */
export function quantile ({ count, least, greatest, bins }: Distribution, share: number): number {
  if (count === 0) return NaN
  const rank = Math.max(1, Math.ceil(share * count))
  let bin = 0
  for (let seen = bins[0]; seen < rank; seen += bins[bin]) bin++
  const upper = bin < SIGN ? 0xffff - bin : bin - SIGN
  const edge = new DataView(new ArrayBuffer(4))
  edge.setUint16(0, upper)
  return Math.min(greatest, Math.max(least, edge.getFloat32(0)))
}
