import { append, createSeries, type Series } from './series.ts'

/** One run minus another, or a note that says why they cannot be compared. */
export type Difference =
  | { readonly series: Series, readonly note?: string }
  | { readonly series?: undefined, readonly note: string }

/** `series` minus `earlier`, over the steps that both have. */
export function difference (series: Series, earlier: Series | undefined): Difference {
  const { name, size } = series
  if (earlier === undefined) return { note: `The earlier run has no ${name}.` }
  if (earlier.size !== size) return { note: `The runs cannot be compared: ${name} has ${size} units here and ${earlier.size} in the earlier run.` }
  const steps = Math.min(series.steps, earlier.steps)
  const result = createSeries(name, size, series.labels)
  append(result, series.values.subarray(0, steps * size).map((value, i) => value - earlier.values[i]))
  if (series.steps === earlier.steps) return { series: result }
  return { series: result, note: `The first ${steps} steps: this run has ${series.steps}, the earlier one ${earlier.steps}.` }
}
