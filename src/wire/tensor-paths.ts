/** What the body of a request may hold. Names are as `x`, or `context/vectors` for a field of a field. */
export interface Fields {
  /** Every field of the body itself. */
  readonly known: readonly string[]
  readonly tensors: readonly string[]
  /** Lists of integers. */
  readonly integers?: readonly string[]
}

/** Counts bytes that a request holds; throws an InputError if there is no room for them. */
export type Hold = (bytes: number) => void
