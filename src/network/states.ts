import { zeros } from '../tensor/floats.ts'
import { copyNumbers } from '../tensor/tensor.ts'
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
    this.data = zeros(rows * layout.width)
  }

  /** A row's slice of that name, as a view; empty if the state has none. */
  of (row: number, name: string): Float32Array {
    const slice = findSlice(this.layout, name)
    const start = row * this.layout.width + (slice?.offset ?? 0)
    return this.data.subarray(start, start + (slice?.width ?? 0))
  }

  /**
   * Sets a slice of every row.
   *
   * @param values `[B, stride]`, of which each row's slice starts at `at`; a stride of 0 is one vector for all rows.
   * @returns the width of the slice.
   */
  put (name: string, values: Float32Array, stride: number, at = 0): number {
    const { offset, width } = findSlice(this.layout, name) ?? { offset: 0, width: 0 }
    for (let row = 0; row < this.rows; row++) copyNumbers(values, row * stride + at, this.data, row * this.layout.width + offset, width)
    return width
  }

  /** The reverse of `put`: copies a slice of every row to a part of wider vectors. */
  take (name: string, values: Float32Array, stride: number, at: number): number {
    const { offset, width } = findSlice(this.layout, name) ?? { offset: 0, width: 0 }
    for (let row = 0; row < this.rows; row++) copyNumbers(this.data, row * this.layout.width + offset, values, row * stride + at, width)
    return width
  }
}
