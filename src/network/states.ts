import { findSlice, type StateLayout } from './state.ts'

/** The states of a request's rows: `[B, S]`, and access to their slices by name. */
export class States {
  readonly layout: StateLayout
  readonly rows: number
  readonly data: Float32Array

  /** All zeros. */
  constructor (layout: StateLayout, rows: number) {
    this.layout = layout
    this.rows = rows
    this.data = new Float32Array(rows * layout.width)
  }

  /** A row's slice of that name, as a view; empty if the state has none. */
  of (row: number, name: string): Float32Array {
    const slice = findSlice(this.layout, name)
    const start = row * this.layout.width + (slice?.offset ?? 0)
    return this.data.subarray(start, start + (slice?.width ?? 0))
  }

  /** Sets a slice of every row, from `[B, width]`. */
  set (name: string, values: Float32Array): void {
    const { offset, width } = findSlice(this.layout, name) ?? { offset: 0, width: 0 }
    for (let row = 0; row < this.rows; row++) {
      const at = row * this.layout.width + offset
      for (let j = 0; j < width; j++) this.data[at + j] = values[row * width + j]
    }
  }

  /** A slice of every row, `[B, width]`. */
  get (name: string): Float32Array {
    const { offset, width } = findSlice(this.layout, name) ?? { offset: 0, width: 0 }
    const values = new Float32Array(this.rows * width)
    for (let row = 0; row < this.rows; row++) {
      const at = row * this.layout.width + offset
      for (let j = 0; j < width; j++) values[row * width + j] = this.data[at + j]
    }
    return values
  }
}
