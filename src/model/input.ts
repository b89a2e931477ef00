import Type from '../tensor/typebox.ts'
import { unprocessable } from '../errors.ts'
import type { Linear } from '../network/feed.ts'
import { compile } from '../tensor/schema.ts'
import { ACTIVATION, LAYER, readLinear, takeTensor, TensorName, type Scope } from './policies/grammar.ts'

/** What stands in front of the cells and computes their x. */
export type ModelInput = Embedding | InputLayer

/** Requests send ids, which are row numbers of a table. */
export interface Embedding {
  readonly kind: 'embedding'
  /** The tensor's name. */
  readonly name: string
  /** `[vocabulary, width]` */
  readonly table: Float32Array
  readonly vocabulary: number
  /** The width of the x that it makes. */
  readonly width: number
  /** What it makes, in words. */
  readonly makes: string
}

/** Requests send an x, from which a layer computes the x of the cells. */
export interface InputLayer {
  readonly kind: 'layer'
  readonly linear: Linear
  readonly width: number
  readonly makes: string
}

const readEmbedding = compile(Type.Object({ embedding: TensorName }, { additionalProperties: false }))
const readLayer = compile(Type.Object({ ...LAYER, ...ACTIVATION }, { additionalProperties: false }))

/**
 * Reads the `input` of a `config.json`: the name of an embedding, or a linear layer.
 *
 * @throws InputError if it is neither, or a tensor is missing or has another shape.
 */
export function readInput (value: unknown, tensor: Scope['tensor']): ModelInput {
  if (typeof value !== 'object' || value === null || !('embedding' in value)) {
    const options = readLayer(value, '/input')
    const { linear } = readLinear(options, '/input', tensor)
    return { kind: 'layer', linear, width: linear.out, makes: `tensor ${options.weight} makes ${linear.out}` }
  }
  const { embedding: name } = readEmbedding(value, '/input')
  const { shape, data } = takeTensor(name, '/input/embedding', tensor)
  const [vocabulary, width] = shape
  if (shape.length !== 2 || data.length === 0) throw unprocessable('/input/embedding', `tensor ${name}: expected a matrix [vocabulary, width of x], found [${shape.join(', ')}]`)
  return { kind: 'embedding', name, table: data, vocabulary, width, makes: `tensor ${name} [${vocabulary}, ${width}] makes ${width}` }
}
