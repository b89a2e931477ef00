/** The places of numbers in a request: names such as `x`, or `context/vectors` for a field of a field. */
export interface Fields {
  readonly tensors: readonly string[]
  /** Lists of integers. */
  readonly integers?: readonly string[]
}
