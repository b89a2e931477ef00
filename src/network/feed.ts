/**
 * A recipe for one vector of a row: pure data, made from named parts.
 *
 * `x` and `vectors` come from the request for the step, `h` and `c` from the last layer; `read` is the attention read, `y` the
 * readout; other names are a wiring's lets.
 */
export type Feed =
  | { readonly kind: 'part', readonly name: string }
  | { readonly kind: 'concat', readonly of: readonly Feed[] }
  | { readonly kind: 'sum' | 'product', readonly of: readonly Feed[] }
  | { readonly kind: 'linear', readonly linear: Linear, readonly of: Feed }

export type Activation = 'none' | 'tanh' | 'relu' | 'sigmoid' | RowActivation

/** The activations that depend on all sums of a row. */
export type RowActivation = 'softmax' | 'log_softmax'

export function isRowActivation (activation: Activation): activation is RowActivation {
  return activation === 'softmax' || activation === 'log_softmax'
}

/** A trained linear layer: `activation(W v + b)`. Each sum starts with the bias and follows the order of v, in float32. */
export interface Linear {
  readonly in: number
  readonly out: number
  /** `[out, in]`, row-major. */
  readonly weight: Float32Array
  /** `[out]` */
  readonly bias: Float32Array
  readonly activation: Activation
}

/** An attention read of the request's support vectors `s_i`: `a = softmax_i(scale * score(q, k_i))`, `read = sum_i a_i v_i`. */
export interface Read {
  /** `dot` is q . k, `cosine` the same for their directions, `additive` is `v . activation(q + k)`. */
  readonly score: 'dot' | 'cosine' | 'additive'
  readonly scale: number
  /** What q is made from: a feed of `h` and `c`. */
  readonly query: Feed
  /** The width D of a support vector. */
  readonly support: number
  /** Makes k from s; if left out, k is s. */
  readonly key?: Linear
  /** Makes the value from s; if left out, the value is s; if `key`, it is k. */
  readonly value?: Linear | 'key'
  /** The weights of an additive score, `[width of q]`. */
  readonly v?: Float32Array
  /** The activation of an additive score. */
  readonly activation?: 'tanh' | 'relu'
}

/** The width of a read, which is the width of its values. */
export function readWidth ({ support, key, value }: Read): number {
  const chosen = value === 'key' ? key : value
  return chosen?.out ?? support
}

export function part (name: string): Feed {
  return { kind: 'part', name }
}

/** Joins feeds one after the other; a single feed stays as it is. */
export function concat (...of: readonly Feed[]): Feed {
  return of.length === 1 ? of[0] : { kind: 'concat', of }
}

/** The names of the parts that a feed is made from. */
export function partsOf (feed: Feed): Set<string> {
  if (feed.kind === 'part') return new Set([feed.name])
  const inner = feed.kind === 'linear' ? [feed.of] : feed.of
  return new Set(inner.flatMap((one) => [...partsOf(one)]))
}

/**
 * The width of a feed.
 *
 * @param widthOf the width of a part.
 * @throws RangeError if widths do not match; the message names both and what has them.
 */
export function feedWidth (feed: Feed, widthOf: (name: string) => number): number {
  switch (feed.kind) {
    case 'part': return widthOf(feed.name)
    case 'concat': return feed.of.reduce((sum, one) => sum + feedWidth(one, widthOf), 0)
    case 'linear': {
      const width = feedWidth(feed.of, widthOf)
      if (width !== feed.linear.in) throw new RangeError(`a linear layer of ${feed.linear.in} inputs is given ${describeFeed(feed.of)}, which has ${width} numbers`)
      return feed.linear.out
    }
    default: {
      const [first, ...others] = feed.of
      const width = feedWidth(first, widthOf)
      const odd = others.find((one) => feedWidth(one, widthOf) !== width)
      if (odd !== undefined) throw new RangeError(`a ${feed.kind} of ${describeFeed(first)}, ${width} numbers, and ${describeFeed(odd)}, ${feedWidth(odd, widthOf)}`)
      return width
    }
  }
}

/** A feed for a message, such as `[h, read]`. */
function describeFeed (feed: Feed): string {
  switch (feed.kind) {
    case 'part': return feed.name
    case 'linear': return `linear(${describeFeed(feed.of)})`
    case 'concat': return `[${feed.of.map(describeFeed).join(', ')}]`
    default: return `${feed.kind}(${feed.of.map(describeFeed).join(', ')})`
  }
}
