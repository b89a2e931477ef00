import type { Feed, Linear, Read } from '../network/feed.ts'
import type { Layers } from '../network/layers.ts'
import type { Node, Wiring } from '../network/network.ts'
import { matrixBytes, type Precision } from '../network/precision.ts'
import { layOutState, type StateLayout } from '../network/state.ts'
import type { ModelInput } from './input.ts'
import type { Policy } from './policies/policy.ts'

/** A feed as `config.json` writes it, except that a layer shows its widths instead of its tensors. */
type DescribedFeed = string | readonly DescribedFeed[] | { readonly sum: readonly DescribedFeed[] } | { readonly product: readonly DescribedFeed[] } |
  DescribedLayer & { readonly of: DescribedFeed }

interface DescribedLayer {
  readonly in: number
  readonly out: number
  readonly activation: Linear['activation']
}

/** What feeds the next step, in one form for all policies. */
export interface DescribedWiring {
  readonly initial: Policy['initial']
  readonly residual: boolean
  readonly read?: DescribedRead
  readonly let: Readonly<Record<string, DescribedFeed>>
  readonly x: DescribedFeed
  /** `module` if the model's own feedback.mjs computes it. */
  readonly h_in: DescribedFeed
}

interface DescribedRead {
  readonly score: Read['score']
  readonly scale: number
  readonly query: DescribedFeed
  readonly key?: DescribedLayer
  readonly value?: 'key' | DescribedLayer
  readonly activation?: 'tanh' | 'relu'
  /** The width of a support vector. */
  readonly support: number
}

/** @returns undefined if only the client knows what feeds the next step. */
export function describeWiring ({ wiring, initial }: Policy): DescribedWiring | undefined {
  if (wiring === undefined) return undefined
  const { x, h, residual, read, lets } = wiring
  return {
    initial,
    residual,
    ...(read !== undefined && { read: describeRead(read) }),
    let: Object.fromEntries(lets.map(({ name, feed }) => [name, describeFeed(feed)])),
    x: describeFeed(x),
    h_in: h === 'own' ? 'h' : h === 'host' ? 'module' : describeFeed(h)
  }
}

function describeRead ({ score, scale, query, support, key, value, activation }: Read): DescribedRead {
  return {
    score,
    scale,
    query: describeFeed(query),
    ...(key !== undefined && { key: describeLayer(key) }),
    ...(value !== undefined && { value: value === 'key' ? value : describeLayer(value) }),
    ...(activation !== undefined && { activation }),
    support
  }
}

function describeFeed (feed: Feed): DescribedFeed {
  switch (feed.kind) {
    case 'part': return feed.name
    case 'concat': return feed.of.map(describeFeed)
    case 'linear': return { ...describeLayer(feed.linear), of: describeFeed(feed.of) }
    case 'sum': return { sum: feed.of.map(describeFeed) }
    case 'product': return { product: feed.of.map(describeFeed) }
  }
}

function describeLayer ({ in: from, out, activation }: Linear): DescribedLayer {
  return { in: from, out, activation }
}

/** A row's state in the stages that a sequence goes through, in order. If there are several, each slice name begins with its stage's name. */
export function joinStates (stages: ReadonlyArray<{ readonly stage: { readonly name: string }, readonly state: StateLayout }>): StateLayout {
  return layOutState(stages.flatMap(({ stage, state }) =>
    state.slices.map(({ name, width }) => ({ name: stages.length === 1 ? name : `${stage.name}: ${name}`, width }))))
}

/** How many trained numbers there are and, if they form a matrix of a cell or a layer, how many rows it has. */
interface Trained {
  readonly numbers: number
  readonly rows?: number
}

/** All trained parts of a model: its cells, their projections, the wiring, the input and the readout. */
export interface Weights {
  readonly parameters: number
  /** Their size in bytes, as they are held. */
  readonly bytes: number
}

export function countWeights ({ nodes }: Layers, { wiring, readout }: Policy, input: ModelInput | undefined, held: Precision): Weights {
  const behind = wiring?.readout ?? readout
  const all = [
    ...nodes.flat().flatMap((node) => node === undefined ? [] : ofNode(node)),
    ...ofInput(input),
    ...behind === undefined ? [] : ofFeed(behind),
    ...wiring === undefined ? [] : ofWiring(wiring)
  ]
  return {
    parameters: sumOf(all, ({ numbers }) => numbers),
    bytes: sumOf(all, ({ numbers, rows }) => rows === undefined ? numbers * Float32Array.BYTES_PER_ELEMENT : matrixBytes(held, rows, numbers / rows))
  }
}

function ofNode ({ cell: { weightIh, weightHh, biasIh, biasHh }, projection }: Node): Trained[] {
  const rows = biasIh.length
  return [
    { numbers: weightIh.length, rows },
    { numbers: weightHh.length, rows },
    { numbers: biasIh.length + biasHh.length },
    // A projection has no trained bias.
    ...projection === undefined ? [] : ofLayer(projection).slice(0, 1)
  ]
}

function ofInput (input: ModelInput | undefined): Trained[] {
  if (input === undefined) return []
  return input.kind === 'embedding' ? [{ numbers: input.table.length }] : ofLayer(input.linear)
}

function ofWiring ({ x, h, read, lets }: Wiring): Trained[] {
  const feeds = [x, ...(typeof h === 'object' ? [h] : []), ...lets.map(({ feed }) => feed)]
  return [...feeds.flatMap(ofFeed), ...(read === undefined ? [] : [...ofFeed(read.query), ...ofLayer(read.key), ...ofLayer(read.value), { numbers: read.v?.length ?? 0 }])]
}

function ofFeed (feed: Feed): Trained[] {
  if (feed.kind === 'part') return []
  if (feed.kind === 'linear') return [...ofLayer(feed.linear), ...ofFeed(feed.of)]
  return feed.of.flatMap(ofFeed)
}

function ofLayer (layer: Linear | 'key' | undefined): Trained[] {
  return typeof layer === 'object' ? [{ numbers: layer.weight.length, rows: layer.out }, { numbers: layer.bias.length }] : []
}

function sumOf<T> (items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0)
}
