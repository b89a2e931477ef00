import { messageOf } from '../../../errors.ts'
import Type from '../../../tensor/typebox.ts'
import { compile } from '../../../tensor/schema.ts'
import type { Floats } from '../../../weights/layouts/floats.ts'
import type { Dense, DenseActivation, Described, Description, Embedding } from '../description.ts'
import { ImportError, quote } from '../import-error.ts'
import { Refusal } from '../refusal.ts'
import { expectShape, transposed } from '../tensors.ts'
import { denseActivation, type Dialect } from './activations.ts'
import { bidirectional, recurrent } from './cells.ts'
import { LayerSchema, layersOf, type KerasLayer } from './topology.ts'

/** Finds a layer's tensors, in the order of Keras's `get_weights()`. Called once per layer, in the layers' order. */
export type FindWeights = (name: string, className: string) => ReadTensors
/** @throws ImportError */
export type ReadTensors = () => readonly Floats[]

/** An activation that is a separate layer: it belongs to the dense layer before it. */
interface Activation {
  readonly kind: 'activation'
  readonly activation: DenseActivation
}

/**
 * Describes a Keras model from its configuration and its weights.
 *
 * @throws ImportError or InputError if it is not a model, or its weights do not fit it.
 */
export function describeKeras (model: unknown, find: FindWeights, dialect: Dialect): Description {
  const layers: Described[] = []
  const notes: string[] = []
  for (const { name, layer, fault } of layersOf(model)) {
    const found = describe(name, layer, find(name, layer.class_name), dialect)
    notes.push(...maskNotes(name, layer))
    const made = found?.kind === 'recurrent' && notes.length > 0 ? { ...found, notes } : found
    const before = layers.at(-1)
    if (made?.kind === 'activation' && fault === undefined && before?.kind === 'dense' && before.activation === 'none') {
      layers[layers.length - 1] = { ...before, activation: made.activation }
    } else if (made?.kind === 'activation') {
      layers.push({ kind: 'unservable', name, why: `is an activation, ${made.activation}, that does not follow a dense layer without an activation` })
    } else {
      // A cell in the wrong place can still be imported alone.
      if (made !== undefined && (fault === undefined || made.kind === 'recurrent' || made.kind === 'unservable')) layers.push(made)
      if (fault !== undefined && made?.kind !== 'unservable') layers.push({ kind: 'unservable', name, why: fault })
    }
  }
  return { format: dialect.format, layers }
}

function describe (name: string, layer: KerasLayer, tensors: ReadTensors, dialect: Dialect): Described | Activation | undefined {
  const { class_name: className, config } = layer
  try {
    switch (className) {
      case 'InputLayer':
      case 'Masking':
      case 'Dropout':
      case 'SpatialDropout1D':
      case 'GaussianNoise':
      case 'GaussianDropout':
      case 'AlphaDropout':
      case 'ActivityRegularization': return undefined
      case 'Activation': return { kind: 'activation', activation: denseActivation(config.activation) }
      case 'Softmax': return plainActivation('softmax', config, { axis: -1 })
      case 'ReLU': return plainActivation('relu', config, { max_value: null, negative_slope: 0, threshold: 0 })
      case 'Embedding': return embedding(name, config, tensors())
      case 'Dense': return dense(name, config, tensors())
      case 'TimeDistributed': return timeDistributed(name, config, tensors)
      case 'Bidirectional': return bidirectional(name, config, tensors, dialect)
      default: return recurrent(name, layer, tensors, dialect)
    }
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'unservable', name, why: error.message }
    throw new ImportError(`layer ${quote(name)}: ${messageOf(error)}`)
  }
}

/** The service has no masks, so a client must leave out the steps that a mask would skip. */
function maskNotes (name: string, { class_name: className, config }: KerasLayer): string[] {
  if (className === 'Masking') return [`${quote(name)} skips steps that are ${quote(config.mask_value)}: leave them out of x`]
  if (className === 'Embedding' && config.mask_zero === true) return [`${quote(name)} skips the id 0: leave it out of ids`]
  return []
}

function plainActivation (activation: DenseActivation, config: Readonly<Record<string, unknown>>, defaults: Readonly<Record<string, unknown>>): Activation {
  const other = Object.entries(defaults).find(([option, value]) => (config[option] ?? value) !== value)
  if (other !== undefined) throw new Refusal(`is a ${activation} with ${other[0]} ${quote(config[other[0]])}`)
  return { kind: 'activation', activation }
}

const readEmbedding = compile(Type.Object({ input_dim: Type.Integer(), output_dim: Type.Integer() }))

function embedding (name: string, config: unknown, [weight]: readonly Floats[]): Embedding {
  const { input_dim: vocabulary, output_dim: width } = readEmbedding(config, '/config')
  return { kind: 'embedding', name, weight: expectShape('embeddings', weight, [vocabulary, width]) }
}

const readDense = compile(Type.Object({ units: Type.Integer(), activation: Type.Optional(Type.Unknown()), use_bias: Type.Boolean({ default: true }) }))

function dense (name: string, config: unknown, [matrix, bias]: readonly Floats[]): Dense {
  const { units, activation, use_bias: useBias } = readDense(config, '/config')
  const weight = transposed(expectShape('kernel', matrix, [matrix?.shape[0] ?? 0, units]))
  return { kind: 'dense', name, weight, ...(useBias && { bias: expectShape('bias', bias, [units]) }), activation: denseActivation(activation) }
}

const readWrapped = compile(Type.Object({ layer: LayerSchema }))

/** A dense layer applies to every step anyway, so the wrapper changes nothing. */
function timeDistributed (name: string, config: unknown, tensors: ReadTensors): Dense {
  const { layer } = readWrapped(config, '/config')
  if (layer.class_name !== 'Dense') throw new Refusal(`is a TimeDistributed ${quote(layer.class_name)}`)
  return dense(name, layer.config, tensors())
}
