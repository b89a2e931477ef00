/** A named part of a row's state. */
export interface Slice {
  readonly name: string
  readonly offset: number
  readonly width: number
}

/**
 * Where the parts of a row's state lie: all that the row must keep between two steps is one float32 vector.
 *
 * `h{n}` and `c{n}` are node n's output and carry; `h_in` is what the first node reads next, if that is not its own h;
 * `given` is 1 if a request's h_in replaces the feed at the next step; `read` and the lets are already made;
 * `host` is kept for a feed from outside.
 */
export interface StateLayout {
  readonly width: number
  readonly slices: readonly Slice[]
}

/** Lays slices out one after the other; parts of width 0 are left out. */
export function layOutState (parts: ReadonlyArray<{ readonly name: string, readonly width: number }>): StateLayout {
  let width = 0
  const slices: Slice[] = []
  for (const part of parts) {
    if (part.width === 0) continue
    slices.push({ ...part, offset: width })
    width += part.width
  }
  return { width, slices }
}

/** The slice of that name, if the state has one. */
export function findSlice ({ slices }: StateLayout, name: string): Slice | undefined {
  return slices.find((slice) => slice.name === name)
}
