import { findSlice } from '../network/state.ts'
import type { States } from '../network/states.ts'
import { copyOf } from '../tensor/floats.ts'

/** Everything that a row keeps between two steps, so that it can continue later. */
export interface KeptRow {
  /** How many steps it has taken. */
  readonly t: number
  /** Before the first step: whether `h_in` was given, so that nothing is computed in its place. */
  readonly given: boolean
  /** Before the first step: whether the `h` that the first feed sees was given. */
  readonly seen: boolean
  /** `[S]`: the state, as the network's stage lays it out. */
  readonly state: Float32Array
}

/** A copy with its own memory, for a row that is kept for longer than a request. */
export function ownRow (row: KeptRow): KeptRow {
  return { ...row, state: row.state.slice() }
}

/**
 * The rows of a task that is done. Each is a copy.
 *
 * @param remade whether `h_in` is computed when the next step begins; its current value may come from another x, so it is not kept.
 */
export function keepRows ({ layout, data }: States, before: readonly number[], lengths: readonly number[], remade: boolean): KeptRow[] {
  const { width } = layout
  const hIn = remade ? findSlice(layout, 'h_in') : undefined
  return lengths.map((length, row) => {
    const state = copyOf(data.subarray(row * width, (row + 1) * width))
    if (hIn !== undefined) state.fill(0, hIn.offset, hIn.offset + hIn.width)
    return { t: before[row] + length, given: false, seen: false, state }
  })
}
