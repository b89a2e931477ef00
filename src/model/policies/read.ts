import Type from '../../tensor/typebox.ts'
import { unprocessable } from '../../errors.ts'
import { part, type Feed, type Linear, type Read } from '../../network/feed.ts'
import { compile } from '../../tensor/schema.ts'
import { ACTIVATION, applyLayer, LAYER, readFeed, readLinear, readVector, TensorName, type Scope } from './grammar.ts'

const Layer = Type.Object(LAYER, { additionalProperties: false })

const readOptions = compile(Type.Object({
  score: Type.Optional(Type.Enum(['dot', 'scaled_dot', 'cosine', 'additive'])),
  scale: Type.Optional(Type.Number()),
  query: Type.Optional(Type.Object({ ...LAYER, ...ACTIVATION, of: Type.Optional(Type.Unknown()) }, { additionalProperties: false })),
  key: Type.Optional(Layer),
  // A layer or `key`, checked by hand: the messages of a union would be about both.
  value: Type.Optional(Type.Unknown()),
  v: Type.Optional(TensorName),
  activation: Type.Optional(Type.Enum(['tanh', 'relu']))
}, { additionalProperties: false }))

const readLayer = compile(Layer)

/**
 * Reads an attention read as `config.json` writes it, except for the width of a support vector.
 *
 * @param own the widths of `h` and, if there is one, of `c`: the parts that a query can be made from.
 * @throws InputError if it is not a read.
 */
export function readRead (options: unknown, path: string, own: ReadonlyMap<string, number>, scope: Scope): Omit<Read, 'support'> {
  const { score = 'dot', scale = 1, query, key, value, v, activation } = readOptions(options, path)
  const { tensor, demands } = scope
  const supports = [part('support')]

  /** Reads a layer that is applied to the support vectors. */
  const readSupports = (name: 'key' | 'value', layer: ReturnType<typeof readLayer>): Linear => {
    const { linear, takes } = readLinear(layer, `${path}/${name}`, tensor)
    demands.push({ path: `${path}/${name}`, feeds: supports, width: linear.in, by: takes })
    return linear
  }

  const asked = query === undefined ? part('h') : readQuery(query, `${path}/query`, own, scope)
  const width = asked.kind === 'linear' ? asked.linear.out : own.get('h') ?? 0
  const keys = key === undefined ? undefined : readSupports('key', key)
  demands.push(keys === undefined
    ? { path, feeds: [asked, ...supports], by: 'without a key the score is computed from the query and the support vector' }
    : { path: `${path}/query`, feeds: [asked], width: keys.out, by: `a key, by tensor ${key?.weight}, has ${keys.out}` })
  if (value === 'key' && keys === undefined) throw unprocessable(`${path}/value`, 'is the key, and there is no key')
  const values: Linear | 'key' | undefined = value === undefined || value === 'key' ? value : readSupports('value', readLayer(value, `${path}/value`))

  const common = { query: asked, ...(keys !== undefined && { key: keys }), ...(values !== undefined && { value: values }) }
  if (score === 'additive') {
    if (v === undefined) throw unprocessable(`${path}/v`, 'is required for the score additive: the name of a tensor [A], A the width of the query')
    return { ...common, score, scale, v: readVector(v, `${path}/v`, tensor, width), activation: activation ?? 'tanh' }
  }
  for (const [name, given] of Object.entries({ v, activation })) {
    if (given !== undefined) throw unprocessable(`${path}/${name}`, `is for the score additive, not for ${score}`)
  }
  return score === 'scaled_dot' ? { ...common, score: 'dot', scale: scale / Math.sqrt(width) } : { ...common, score, scale }
}

function readQuery ({ of = 'h', ...layer }: QueryOptions, path: string, own: ReadonlyMap<string, number>, scope: Scope): Feed {
  const refuse = (name: string): string | undefined => own.has(name) ? undefined : `a query is computed from ${[...own.keys()].join(' and ')}, not from ${name}`
  return applyLayer(layer, readFeed(of, `${path}/of`, { ...scope, refuse }), path, scope)
}
type QueryOptions = NonNullable<ReturnType<typeof readOptions>['query']>
