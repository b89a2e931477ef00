import { countParameters } from '../network/cell.ts'
import type { Feed, Linear, Read } from '../network/feed.ts'
import type { Layers } from '../network/layers.ts'
import type { Wiring } from '../network/network.ts'
import { layOutState, type StateLayout } from '../network/state.ts'
import type { ModelInput } from './input.ts'
import type { Policy } from './policies/policy.ts'

/** A feed as `config.json` writes it, except that a layer tells its widths in the place of its tensors. */
type DescribedFeed = string | readonly DescribedFeed[] | { readonly sum: readonly DescribedFeed[] } | { readonly product: readonly DescribedFeed[] } |
  DescribedLayer & { readonly of: DescribedFeed }

interface DescribedLayer {
  readonly in: number
  readonly out: number
  readonly activation: Linear['activation']
}

/** What feeds the next step, whatever name the policy has for it. */
export interface DescribedWiring {
  readonly initial: Policy['initial']
  readonly residual: boolean
  readonly read?: DescribedRead
  readonly let: Readonly<Record<string, DescribedFeed>>
  readonly x: DescribedFeed
  /** `module` if the model's own feedback.mjs makes it. */
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

/** @returns nothing if only the client knows what feeds the next step. */
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

/** The state of a row in the stages that a sequence goes through, one after the other; several have their names in front. */
export function joinStates (stages: ReadonlyArray<{ readonly stage: { readonly name: string }, readonly state: StateLayout }>): StateLayout {
  return layOutState(stages.flatMap(({ stage, state }) =>
    state.slices.map(({ name, width }) => ({ name: stages.length === 1 ? name : `${stage.name}: ${name}`, width }))))
}

/** The number of trained parameters: of the cells, their projections, the wiring, and what stands in front and behind. */
export function countAll ({ nodes }: Layers, { wiring, readout }: Policy, input: ModelInput | undefined): number {
  const cells = nodes.flat().flatMap((node) => node === undefined ? [] : [countParameters(node.cell) + (node.projection?.weight.length ?? 0)])
  const behind = wiring?.readout ?? readout
  return [...cells, inputSize(input), ...(behind === undefined ? [] : [feedSize(behind)]), ...(wiring === undefined ? [] : wiringSizes(wiring))].reduce((sum, size) => sum + size, 0)
}

function inputSize (input: ModelInput | undefined): number {
  if (input === undefined) return 0
  return input.kind === 'embedding' ? input.table.length : layerSize(input.linear)
}

function wiringSizes ({ x, h, read, lets }: Wiring): number[] {
  const feeds = [x, ...(typeof h === 'object' ? [h] : []), ...lets.map(({ feed }) => feed)]
  return [...feeds.map(feedSize), ...(read === undefined ? [] : [feedSize(read.query), layerSize(read.key), layerSize(read.value), read.v?.length ?? 0])]
}

function feedSize (feed: Feed): number {
  if (feed.kind === 'part') return 0
  if (feed.kind === 'linear') return layerSize(feed.linear) + feedSize(feed.of)
  return feed.of.reduce((sum, one) => sum + feedSize(one), 0)
}

function layerSize (layer: Linear | 'key' | undefined): number {
  return typeof layer === 'object' ? layer.weight.length + layer.bias.length : 0
}
