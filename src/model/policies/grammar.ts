import Type from '../../tensor/typebox.ts'
import { messageOf, unprocessable } from '../../errors.ts'
import { concat, part, type Feed, type Linear } from '../../network/feed.ts'
import { compile } from '../../tensor/schema.ts'
import { describe } from '../../tensor/tensor.ts'
import type { PolicySetting } from './policy.ts'
import type { Demand } from './widths.ts'

/** What a feed can be made from at its place in the config. */
export interface Scope {
  readonly tensor: PolicySetting['tensor']
  /** Why a feed cannot use that name; undefined if it can. */
  readonly refuse: (name: string) => string | undefined
  /** Collects the widths that the config must get right. */
  readonly demands: Demand[]
}

/** The name of a tensor in the model's file. */
export const TensorName = Type.String({ minLength: 1 })

/** A linear layer, without its `of`. */
export const LAYER = {
  weight: TensorName,
  bias: Type.Optional(TensorName),
  transposed: Type.Optional(Type.Boolean())
}

/** What is applied to its sums. */
export const ACTIVATION = { activation: Type.Optional(Type.Enum(['none', 'tanh', 'relu', 'sigmoid', 'softmax', 'log_softmax'])) }

const readSum = compile(Type.Object({ sum: Type.Array(Type.Unknown(), { minItems: 2 }) }, { additionalProperties: false }))
const readProduct = compile(Type.Object({ product: Type.Array(Type.Unknown(), { minItems: 2 }) }, { additionalProperties: false }))
const readApplied = compile(Type.Object({ ...LAYER, ...ACTIVATION, of: Type.Unknown() }, { additionalProperties: false }))

type LayerOptions = Omit<ReturnType<typeof readApplied>, 'of'>

/**
 * Reads a feed as `config.json` writes it: the name of a part, a list of feeds to concatenate, `{"sum": [...]}`,
 * `{"product": [...]}`, or a linear layer `of` a feed.
 *
 * @param path where it stands in the config.
 * @throws InputError if it has another form, or names something that does not exist.
 */
export function readFeed (value: unknown, path: string, scope: Scope): Feed {
  if (typeof value === 'string') {
    const reason = scope.refuse(value)
    if (reason !== undefined) throw unprocessable(path, reason)
    return part(value)
  }
  if (Array.isArray(value)) {
    if (value.length === 0) throw unprocessable(path, 'is an empty list, expected at least one feed')
    return concat(...readAll(value, path, scope))
  }
  if (typeof value !== 'object' || value === null) {
    throw unprocessable(path, `expected a name, a list of feeds, or an object with sum, product or weight, got ${describe(value)}`)
  }
  if ('sum' in value) return readAlike('sum', readSum(value, path).sum, path, scope)
  if ('product' in value) return readAlike('product', readProduct(value, path).product, path, scope)
  const { of, ...layer } = readApplied(value, path)
  return applyLayer(layer, readFeed(of, `${path}/of`, scope), path, scope)
}

function readAll (values: readonly unknown[], path: string, scope: Scope): Feed[] {
  return values.map((value, i) => readFeed(value, `${path}/${i}`, scope))
}

function readAlike (kind: 'sum' | 'product', values: readonly unknown[], at: string, scope: Scope): Feed {
  const path = `${at}/${kind}`
  const of = readAll(values, path, scope)
  scope.demands.push({ path, feeds: of, by: `a ${kind} needs vectors of the same width` })
  return { kind, of }
}

/** Applies a linear layer to a feed. */
export function applyLayer (options: LayerOptions, of: Feed, path: string, { tensor, demands }: Scope): Feed {
  const { linear, takes } = readLinear(options, path, tensor)
  demands.push({ path, feeds: [of], width: linear.in, by: takes })
  return { kind: 'linear', linear, of }
}

/**
 * Reads a linear layer from the model's file: a tensor `[out, in]`, or `[in, out]` if it is transposed, and a bias `[out]` if
 * there is one. The tensor can have further dimensions of 1, as in a convolution with kernel size 1.
 *
 * @returns the layer, and what it takes, in words.
 * @throws InputError if a tensor is missing or has another shape.
 */
export function readLinear ({ weight, bias, transposed = false, activation = 'none' }: LayerOptions, path: string, tensor: Scope['tensor']): { linear: Linear, takes: string } {
  const { shape, data } = takeTensor(weight, `${path}/weight`, tensor)
  const [rows, columns, ...others] = shape
  if (columns === undefined || others.some((size) => size !== 1) || data.length === 0) {
    throw unprocessable(`${path}/weight`, `tensor ${weight}: expected a matrix ${transposed ? '[in, out]' : '[out, in]'}, found ${shapeOf(shape)}`)
  }
  const [from, to] = transposed ? [rows, columns] : [columns, rows]
  const linear: Linear = {
    in: from,
    out: to,
    weight: transposed ? transpose(data, rows, columns) : data,
    bias: bias === undefined ? new Float32Array(to) : readVector(bias, `${path}/bias`, tensor, to),
    activation
  }
  return { linear, takes: `tensor ${weight} ${shapeOf(shape)}${transposed ? ', transposed,' : ''} takes ${from}` }
}

/**
 * Reads a vector from the model's file: a tensor `[width]`, which can have further dimensions of 1.
 *
 * @param width how many numbers it must have, if that is known.
 * @throws InputError if it is missing or has another shape.
 */
export function readVector (name: string, path: string, tensor: Scope['tensor'], width?: number): Float32Array {
  const { shape, data } = takeTensor(name, path, tensor)
  if (shape.filter((size) => size !== 1).length > 1 || data.length !== (width ?? data.length)) {
    throw unprocessable(path, `tensor ${name}: expected ${width === undefined ? 'a vector' : `[${width}]`}, found ${shapeOf(shape)}`)
  }
  return data
}

/** @throws InputError if there is no tensor of that name, or it cannot be read. */
export function takeTensor (name: string, path: string, tensor: Scope['tensor']): ReturnType<Scope['tensor']> {
  try {
    return tensor(name)
  } catch (error) {
    throw unprocessable(path, messageOf(error))
  }
}

function transpose (data: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)])
}

function shapeOf (shape: readonly number[]): string {
  return `[${shape.join(', ')}]`
}
