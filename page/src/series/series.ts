import { signal, type Signal } from '@preact/signals'

/** Values of one name over time: `size` numbers per step, in time order. Grows as the answer streams in. */
export interface Series {
  /** `output`, `h`, `c`, `gates`, `read`, `attention`, `y`, a let's name. */
  readonly name: string
  readonly size: number
  /** Names of the units, if they have some: `layer 0 h 3`, `i 5`, `support 2`. */
  readonly labels?: readonly string[]
  steps: number
  /** `[capacity][size]`: the first `steps * size` are set. */
  values: Float32Array<ArrayBuffer>
  /** `steps` as a signal, for components that redraw when it grows. */
  readonly length: Signal<number>
}

const FIRST_STEPS = 64

/** @param labels one for each unit. */
export function createSeries (name: string, size: number, labels?: readonly string[]): Series {
  return { name, size, ...(labels !== undefined && { labels }), steps: 0, values: new Float32Array(FIRST_STEPS * size), length: signal(0) }
}

/**
 * Adds one step or several.
 *
 * @throws RangeError if the numbers are not whole steps.
 */
export function append (series: Series, numbers: ArrayLike<number>): void {
  const { size, steps } = series
  const added = size === 0 ? 0 : numbers.length / size
  if (!Number.isInteger(added)) throw new RangeError(`${series.name}: ${numbers.length} numbers are not whole steps of ${size}`)
  const needed = (steps + added) * size
  if (needed > series.values.length) {
    const larger = new Float32Array(Math.max(needed, 2 * series.values.length))
    larger.set(series.values.subarray(0, steps * size))
    series.values = larger
  }
  series.values.set(numbers, steps * size)
  series.steps = steps + added
  series.length.value = series.steps
}

/** The value of a unit at a step; undefined if either is out of range. */
export function valueAt ({ size, steps, values }: Series, unit: number, step: number): number | undefined {
  return unit >= 0 && unit < size && step >= 0 && step < steps ? values[step * size + unit] : undefined
}

/** The label of a unit. */
export function labelOf ({ name, size, labels }: Series, unit: number): string {
  return labels?.[unit] ?? (size === 1 ? name : `${name} ${unit}`)
}
