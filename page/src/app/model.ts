import type { ModelDescription } from '../../../clients/typescript/src/client.ts'

/** A model as the service describes it. */
export type Model = ModelDescription

/** A feed, in the form that a wiring's description uses. */
export type Feed = string | readonly Feed[] | { readonly sum: readonly Feed[] } | { readonly product: readonly Feed[] } | Linear

/** A linear layer. */
export interface Linear {
  readonly in: number
  readonly out: number
  readonly activation: string
  readonly of: Feed
}

/** An attention read. */
export interface Read {
  readonly score: string
  readonly query: Feed
  /** The width of a support vector. */
  readonly support: number
  readonly key?: Omit<Linear, 'of'>
  readonly value?: 'key' | Omit<Linear, 'of'>
}

/** What feeds the next step. */
export interface Wiring {
  readonly residual: boolean
  readonly read: Read | undefined
  readonly lets: Readonly<Record<string, Feed>>
  readonly x: Feed
  /** `module` if the model's own code computes it. */
  readonly h: Feed
}

/** The wiring of a model; undefined if only clients define it. */
export function wiringOf ({ wiring }: Model): Wiring | undefined {
  if (wiring === undefined) return undefined
  const { residual, read, let: lets, x, h_in: h } = wiring
  return {
    residual,
    read: isRead(read) ? read : undefined,
    lets: Object.fromEntries(Object.entries(Object(lets)).filter((entry): entry is [string, Feed] => isFeed(entry[1]))),
    x: isFeed(x) ? x : 'x',
    h: isFeed(h) ? h : 'h'
  }
}

/** The distinct names in a feed. */
export function namesIn (feed: Feed): string[] {
  return [...new Set(innerOf(feed)?.flatMap(namesIn) ?? [String(feed)])]
}

/** A feed as short text: `[h, read]`, `h + read`, `tanh(W [read, h])`. */
export function textOf (feed: Feed): string {
  if (typeof feed === 'string') return feed
  if ('sum' in feed) return feed.sum.map(textOf).join(' + ')
  if ('product' in feed) return feed.product.map(textOf).join(' × ')
  if ('of' in feed) return feed.activation === 'none' ? `W ${textOf(feed.of)}` : `${feed.activation}(W ${textOf(feed.of)})`
  return `[${feed.map(textOf).join(', ')}]`
}

/** The width of the wiring's part `vectors`; undefined if the wiring has no such part, or its width cannot be derived. */
export function widthOfVectors (model: Model): number | undefined {
  const wiring = wiringOf(model)
  const { vectors }: { vectors?: unknown } = Object(model.feedback.widths)
  if (typeof vectors === 'number') return vectors
  if (wiring === undefined) return undefined
  return rest(model, wiring, wiring.h, model.sizes.Hi) ?? rest(model, wiring, wiring.x, model.sizes.I) ??
    Object.values(wiring.lets).map((feed) => rest(model, wiring, feed, NaN)).find((width) => width !== undefined)
}

/** The width that the other parts of a feed leave for `vectors`. */
function rest (model: Model, wiring: Wiring, feed: Feed, width: number): number | undefined {
  if (feed === 'vectors') return Number.isNaN(width) ? undefined : width
  if (typeof feed === 'string') return undefined
  if ('of' in feed) return rest(model, wiring, feed.of, feed.in)
  if ('sum' in feed || 'product' in feed) {
    const parts = innerOf(feed) ?? []
    const known = parts.map((part) => widthOf(model, wiring, part)).find((each) => each !== undefined)
    return firstOf(parts, (part) => rest(model, wiring, part, known ?? width))
  }
  const parts = innerOf(feed) ?? []
  const others = parts.filter((part) => !namesIn(part).includes('vectors'))
  if (others.length === parts.length) return undefined
  const taken = others.reduce((sum, part) => sum + (widthOf(model, wiring, part) ?? NaN), 0)
  return firstOf(parts, (part) => rest(model, wiring, part, width - taken))
}

function widthOf (model: Model, wiring: Wiring, feed: Feed): number | undefined {
  if (typeof feed === 'string') {
    switch (feed) {
      case 'x': return model.widths.sequence_x
      case 'h': case 'c': return model.sizes.Ho
      case 'y': return model.readout?.K
      case 'read': return wiring.read === undefined ? undefined : widthOfRead(wiring.read)
      default: return feed in wiring.lets ? widthOf(model, wiring, wiring.lets[feed]) : undefined
    }
  }
  if ('of' in feed) return feed.out
  const widths = (innerOf(feed) ?? []).map((part) => widthOf(model, wiring, part))
  if ('sum' in feed || 'product' in feed) return widths.find((width) => width !== undefined)
  return widths.reduce((sum, width) => sum === undefined || width === undefined ? undefined : sum + width, 0)
}

export function widthOfRead ({ support, key, value }: Read): number {
  return (value === 'key' ? key : value)?.out ?? support
}

function innerOf (feed: Feed): readonly Feed[] | undefined {
  if (typeof feed === 'string') return undefined
  if ('sum' in feed) return feed.sum
  if ('product' in feed) return feed.product
  return 'of' in feed ? [feed.of] : feed
}

function firstOf<T, R> (all: readonly T[], find: (one: T) => R | undefined): R | undefined {
  for (const one of all) {
    const found = find(one)
    if (found !== undefined) return found
  }
  return undefined
}

function isFeed (value: unknown): value is Feed {
  if (typeof value === 'string') return true
  if (Array.isArray(value)) return value.every(isFeed)
  if (typeof value !== 'object' || value === null) return false
  const { sum, product, of }: { sum?: unknown, product?: unknown, of?: unknown } = value
  return Array.isArray(sum) ? sum.every(isFeed) : Array.isArray(product) ? product.every(isFeed) : isFeed(of)
}

function isRead (value: unknown): value is Read {
  return typeof value === 'object' && value !== null && 'score' in value && 'query' in value && isFeed(value.query)
}
