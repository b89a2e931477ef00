import { labelOf, type Series } from './series.ts'

/** Units that belong together, such as those of a layer or a gate. */
export interface Group {
  readonly name: string
  /** Their indices. */
  readonly units: Uint32Array
}

/** The groups of a series: adjacent units whose labels differ only in the final number, such as `layer 0 i 5`. */
export function groupsOf (series: Series): Group[] {
  const groups: Array<{ name: string, first: number }> = []
  for (let unit = 0; unit < series.size; unit++) {
    const name = labelOf(series, unit).replace(/ *\d+$/, '')
    if (groups.at(-1)?.name !== name) groups.push({ name, first: unit })
  }
  return groups.map(({ name, first }, i) => ({ name, units: range(first, groups[i + 1]?.first ?? series.size) }))
}

/** The numbers from `first` up to, but not including, `end`. */
export function range (first: number, end: number): Uint32Array {
  return Uint32Array.from({ length: end - first }, (_, i) => first + i)
}
