import type { Described } from '../description.ts'
import type { TensorProto } from './messages.ts'

/** What is known about a value in a graph. */
export type Value = Constant | Side | MadeIds | Flow | Several

export interface Constant {
  readonly kind: 'constant'
  readonly tensor: TensorProto
}

/** A value computed only from shapes and constants, such as an initial state. */
export interface Side {
  readonly kind: 'side'
  /** Whether all its numbers are zero, whatever its shape. */
  readonly zero: boolean
}

/** Ids for an embedding, computed elementwise from the graph's input. */
export interface MadeIds {
  readonly kind: 'ids'
  /** The type of the node that computed them. */
  readonly type: string
  readonly of: (id: number) => number
}

/** A value that comes from the input through these layers. */
export interface Flow {
  readonly kind: 'flow'
  readonly layers: readonly Described[]
  /** Which output of the last cell it is. */
  readonly of: 'steps' | 'last' | 'states'
  /** Set if it is the output of one of two directions. */
  readonly only?: 'forward' | 'backward'
  /** Whether it still has the direction axis, which the node puts before the rows. */
  readonly directions?: boolean
}

/** Several flows in parallel, such as the last states of all layers. */
export interface Several {
  readonly kind: 'several'
  readonly flows: readonly Flow[]
}
