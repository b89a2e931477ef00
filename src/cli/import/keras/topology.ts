import Type, { type Static } from '../../../tensor/typebox.ts'
import { compile } from '../../../tensor/schema.ts'
import { ImportError, quote } from '../import-error.ts'

/** A layer as Keras and TensorFlow.js write it. */
export const LayerSchema = Type.Object({
  class_name: Type.String(),
  /** Present in functional models; elsewhere the name is only in `config`. */
  name: Type.Optional(Type.String()),
  config: Type.Record(Type.String(), Type.Unknown()),
  inbound_nodes: Type.Optional(Type.Unknown())
})
export type KerasLayer = Static<typeof LayerSchema>

const readModel = compile(Type.Object({ class_name: Type.String(), config: Type.Unknown() }))
const readLayers = compile(Type.Object({ layers: Type.Array(LayerSchema), output_layers: Type.Optional(Type.Unknown()) }))
/** Keras 1 and early TensorFlow.js write a Sequential's config as a list of layers. */
const readList = compile(Type.Array(LayerSchema))

/** A layer at its place in the chain. */
export interface Placed {
  readonly name: string
  readonly layer: KerasLayer
  /** Why the layer does not continue a plain chain, if it does not. */
  readonly fault?: string
}

/**
 * The layers of a Sequential or a functional model, in their order.
 *
 * @throws ImportError or InputError if it is neither.
 */
export function layersOf (model: unknown): Placed[] {
  const { class_name: kind, config } = readModel(model, '')
  if (kind === 'Sequential') {
    const layers = Array.isArray(config) ? readList(config, '/config') : readLayers(config, '/config').layers
    return layers.map((layer) => ({ name: nameOf(layer), layer }))
  }
  if (kind !== 'Functional' && kind !== 'Model') throw new ImportError(`is a ${quote(kind)}, expected a Sequential or a functional model`)
  const { layers, output_layers: outputs } = readLayers(config, '/config')
  return placed(reached(layers, sourcesOf(outputs)), sourcesOf(outputs))
}

/** The layers that an output depends on; the others compute masks. */
function reached (layers: readonly KerasLayer[], outputs: readonly Source[]): KerasLayer[] {
  const byName = new Map(layers.map((layer) => [nameOf(layer), layer]))
  const names = new Set<string>()
  for (const todo = outputs.map(({ layer }) => layer); todo.length > 0;) {
    const name = todo.pop() ?? ''
    if (names.has(name)) continue
    names.add(name)
    todo.push(...sourcesOf(byName.get(name)?.inbound_nodes).map(({ layer }) => layer))
  }
  return layers.filter((layer) => names.has(nameOf(layer)))
}

function nameOf ({ name, config }: KerasLayer): string {
  if (name !== undefined) return name
  return typeof config.name === 'string' ? config.name : 'a layer without a name'
}

/** Marks the layers that break the chain: each layer must read the one before, and the last one must be the output. */
function placed (layers: readonly KerasLayer[], outputs: readonly Source[]): Placed[] {
  let before: string | undefined
  const chain = layers.map((layer): Placed => {
    const name = nameOf(layer)
    const fault = faultOf(layer, before)
    before = name
    return { name, layer, ...(fault !== undefined && { fault }) }
  })
  const other = outputs.find(({ layer }) => layer !== before)
  const end = chain.at(-1)
  if (other === undefined || end === undefined) return chain
  return [...chain.slice(0, -1), { ...end, fault: `the output is that of ${quote(other.layer)}, which is not the last layer` }]
}

function faultOf ({ class_name: kind, inbound_nodes: inbound }: KerasLayer, before: string | undefined): string | undefined {
  const sources = sourcesOf(inbound)
  if (kind === 'InputLayer') return before === undefined ? undefined : 'is a second input'
  if (Array.isArray(inbound) && inbound.length > 1) return 'is used more than once'
  if (sources.length !== 1) return `reads ${sources.length === 0 ? 'nothing' : sources.map(({ layer }) => quote(layer)).join(' and ')}; a chain reads one layer`
  const [{ layer, output }] = sources
  if (layer !== before) return `reads ${quote(layer)}, not the layer before`
  return output === 0 ? undefined : `reads output ${output} of ${quote(layer)}: states, and not what it writes`
}

/** What a layer reads: an output of another layer. */
interface Source {
  readonly layer: string
  readonly output: number
}

/**
 * Layers in a node's arguments, as `[name, node, output, ...]` at any depth; in Keras 3 under `keras_history`. Masks do not count.
 */
function sourcesOf (value: unknown, depth = 0): Source[] {
  if (depth > DEEPEST) throw new ImportError(`has nodes nested more than ${DEEPEST} deep`)
  if (typeof value !== 'object' || value === null) return []
  if (!Array.isArray(value)) return Object.entries(value).flatMap(([key, part]) => key === 'mask' ? [] : sourcesOf(part, depth + 1))
  const [layer, node, output]: readonly unknown[] = value
  if (typeof layer === 'string' && typeof node === 'number' && typeof output === 'number') return [{ layer, output }]
  return value.flatMap((part) => sourcesOf(part, depth + 1))
}
const DEEPEST = 32
