import type { CellKind } from '../../network/cell.ts'
import type { Floats } from '../../weights/layouts/floats.ts'

/** What each reader returns for a file: its layers from input to output, with tensors in the service's own conventions. */
export interface Description {
  /** What the file is, for people: `Keras 3.15.1`. */
  readonly format: string
  readonly layers: readonly Described[]
}

export type Described = Layer | Unservable

export type Layer = Embedding | Dense | Recurrent

/** A layer that the service cannot serve; this matters only if the layer is imported. */
export interface Unservable {
  readonly kind: 'unservable'
  readonly name: string
  /** What the layer is, and why it cannot be served. */
  readonly why: string
}

export interface Embedding {
  readonly kind: 'embedding'
  readonly name: string
  /** `[vocabulary, width]` */
  readonly weight: Floats
  readonly notes?: readonly string[]
}

export const ACTIVATIONS = ['none', 'softmax', 'log_softmax', 'sigmoid', 'tanh', 'relu'] as const
export type DenseActivation = typeof ACTIVATIONS[number]

export interface Dense {
  readonly kind: 'dense'
  readonly name: string
  /** `[out, in]` */
  readonly weight: Floats
  /** `[out]` */
  readonly bias?: Floats
  readonly activation: DenseActivation
}

export interface Recurrent {
  readonly kind: 'recurrent'
  readonly name: string
  readonly cell: CellKind
  readonly activation: 'tanh' | 'relu'
  /** The gates' activation: the sigmoid if left out, else `clip(slope * x + 0.5, 0, 1)`. */
  readonly hardSigmoid?: { readonly slope: number }
  readonly directions: readonly [forward: Weights, backward?: Weights]
  /**
   * What the layers after it read: every step; the last step; or the last states of both directions, which do not belong to one
   * step.
   */
  readonly gives: 'steps' | 'last' | 'states'
  readonly notes?: readonly string[]
}

/** A cell's tensors, with the gates in the order of `Cell`: `[G Ho, I]`, `[G Ho, Ho]`, `[G Ho]`. */
export interface Weights {
  readonly weightIh: Floats
  readonly weightHh: Floats
  readonly biasIh?: Floats
  readonly biasHh?: Floats
}

/** A layer's input and output widths; an embedding reads one id. */
export function widthsOf (layer: Layer): { in: number, out: number } {
  switch (layer.kind) {
    case 'embedding': return { in: 1, out: layer.weight.shape[1] }
    case 'dense': return { in: layer.weight.shape[1], out: layer.weight.shape[0] }
    case 'recurrent': {
      const [{ weightIh, weightHh }] = layer.directions
      return { in: weightIh.shape[1], out: layer.directions.length * weightHh.shape[1] }
    }
  }
}
