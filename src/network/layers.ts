import type { CellKind, CellSizes } from './cell.ts'
import { nodeWidth, type Node } from './network.ts'

/** The cells of a recurrent network as its file defines them: layer by layer, each with one or two directions. */
export interface Layers {
  readonly kind: CellKind
  /** `[L][D]`: each layer's forward node, and its backward one if there is one. */
  readonly nodes: ReadonlyArray<readonly [forward: Node, backward?: Node]>
}

/** How many directions each layer has. */
export function directionsOf ({ nodes }: Layers): 1 | 2 {
  return nodes[0].length === 2 ? 2 : 1
}

/** The width of a network's output at each step: that of its last layer, over all directions. */
function layersWidth ({ nodes }: Layers): number {
  return nodes[nodes.length - 1].reduce((sum, node) => sum + (node === undefined ? 0 : nodeWidth(node)), 0)
}

/** What the first cell reads, and the width of `h`. */
export function sizesOf (layers: Layers): CellSizes {
  const { I, Hi } = layers.nodes[0][0].cell.sizes
  return { I, Hi, Ho: layersWidth(layers) }
}
