import type { CellKind } from '../../network/cell.ts'
import type { Layers } from '../../network/layers.ts'
import { nodeWidth, type Node } from '../../network/network.ts'
import type { StoredTensor } from '../../tensor/safetensors.ts'
import { findNetwork, type FoundNetwork } from './find.ts'
import { LayoutError } from './floats.ts'
import { nameNetwork, type NamedNetwork } from './named.ts'
import { storageOf } from './kernel.ts'
import { kindOfShape } from './kind.ts'
import { kernelShape, readNode, type NodeForm } from './node.ts'
import { checkOptions, GATE_ORDER, gateFunction, type CellOptions } from './options.ts'

/** The network of a file. */
export interface ReadLayers {
  readonly layers: Layers
  /** The names of its tensors. */
  readonly used: ReadonlySet<string>
  /** The path of its module, as in `FoundNetwork`. */
  readonly prefix: string | undefined
}

/**
 * Reads the one network among a file's tensors: its kind, layers, directions and sizes follow from their names and shapes,
 * unless the options name the tensors.
 *
 * @throws LayoutError if there is not exactly one, or one of its tensors is missing, has another shape or is not finite.
 * @throws InputError if the options do not fit it.
 */
export function readLayers (file: ReadonlyMap<string, StoredTensor>, options: CellOptions = {}): ReadLayers {
  const { activation = 'tanh', transposed = false, forget_bias: forgetBias = 0 } = options
  const { tensors, used, ...found } = options.tensors === undefined ? findAmong(file, options) : nameNetwork(file, options.tensors, options)
  const { prefix, nodes: names } = found
  const kind = options.kind ?? kindOf(tensors, found, transposed)
  checkOptions(options, kind)
  const storage = storageOf(GATE_ORDER[kind], options.gates ?? GATE_ORDER[kind], transposed)
  const stacked = names.length > 1 || names[0].length > 1
  const form = { kind, activation, gate: gateFunction(options), storage, forgetBias }

  const nodes: Array<readonly [Node, Node?]> = []
  let x: NodeForm['x']
  for (const [layer, [forward, backward]] of names.entries()) {
    const read = (node: FoundNetwork['nodes'][number][number], x: NodeForm['x']): Node =>
      readNode(tensors, node, { ...form, readsOwn: stacked || node.weightHr !== undefined, ...(x !== undefined && { x }) })
    const one = read(forward, x)
    const other = backward && read(backward, x ?? (forward.weightIh === undefined ? undefined : { width: one.cell.sizes.I, from: forward.weightIh }))
    nodes.push(other === undefined ? [one] : [one, other])
    x = { width: nodeWidth(one) + (other === undefined ? 0 : nodeWidth(other)), from: `what layer ${layer} writes` }
  }
  return { layers: { kind, nodes }, used, prefix }
}

function findAmong (tensors: ReadonlyMap<string, StoredTensor>, { prefix }: CellOptions): NamedNetwork {
  const found = findNetwork([...tensors.keys()], prefix)
  return { ...found, tensors, used: new Set(found.nodes.flatMap((layer) => layer.flatMap((node) => Object.values(node)))) }
}

/** The kind of the cells, from their names or the shape of the first one's `W_hh`. */
function kindOf (tensors: ReadonlyMap<string, StoredTensor>, { kind: known, nodes: [[first]] }: FoundNetwork, transposed: boolean): CellKind {
  if (known !== undefined) return known
  // Only an LSTM has a projection, and then it reads the projection's output.
  if (first.weightHr !== undefined) return 'lstm'
  const [rows, columns] = kernelShape(tensors, first.weightHh, transposed)
  const kind = kindOfShape(rows, columns)
  if (kind !== undefined) return kind
  throw new LayoutError(`tensor ${first.weightHh}: expected 4, 3 or 1 times as many rows as columns, for an LSTM, a GRU or an RNN, found [${rows}, ${columns}]; ` +
    'if its Hi differs from its Ho, "cell": {"kind": ...} in config.json says which it is')
}
