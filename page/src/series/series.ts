/** Values of one name over time: `size` numbers a step, in time order. */
export interface Series {
  readonly name: string
  readonly size: number
  readonly labels?: readonly string[]
  steps: number
  values: Float32Array
}
