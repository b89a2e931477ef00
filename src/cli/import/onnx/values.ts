import type { Described } from '../description.ts'
import type { TensorProto } from './messages.ts'

/** What is known of a value of a graph. */
export type Value = Constant | Side | MadeIds | Flow | Several

export interface Constant {
  readonly kind: 'constant'
  readonly tensor: TensorProto
}

/** What is made of shapes and constants alone, such as a first state. */
export interface Side {
  readonly kind: 'side'
  /** All its numbers are zero, whatever its shape. */
  readonly zero: boolean
}

/** What arithmetic makes of the input, number by number: ids for an embedding. */
export interface MadeIds {
  readonly kind: 'ids'
  /** The node that made them. */
  readonly type: string
  readonly of: (id: number) => number
}

/** What comes from the input, through these layers. */
export interface Flow {
  readonly kind: 'flow'
  readonly layers: readonly Described[]
  /** What it has of the last cell. */
  readonly of: 'steps' | 'last' | 'states'
  /** That of one of two directions. */
  readonly only?: 'forward' | 'backward'
  /** The axis of the directions is still there, as the node has it: before the rows. */
  readonly directions?: boolean
}

/** Flows beside each other, such as the last states of all layers. */
export interface Several {
  readonly kind: 'several'
  readonly flows: readonly Flow[]
}
