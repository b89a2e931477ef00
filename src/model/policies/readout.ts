import Type from '../../tensor/typebox.ts'
import { unprocessable } from '../../errors.ts'
import { part, partsOf, type Feed } from '../../network/feed.ts'
import { directionsOf, sizesOf, type Layers } from '../../network/layers.ts'
import { compile } from '../../tensor/schema.ts'
import { ACTIVATION, LAYER, readFeed, readLinear, type Scope } from './grammar.ts'
import { findWidths, ownWidths, type Demand } from './widths.ts'

const readLayer = compile(Type.Object({ ...LAYER, ...ACTIVATION, of: Type.Optional(Type.Unknown()) }, { additionalProperties: false }))

/** What makes `y`, before it is known which parts it can be made from. */
export interface Readout {
  /** K, the width of `y`. */
  readonly width: number
  /** @throws InputError if its `of` is not a feed, or names a part that does not exist. */
  readonly feed: (scope: Scope) => Feed
}

/**
 * Reads the `readout` of a `config.json`: a linear layer, or a list of layers applied in order, `of` a feed, which is `h` unless
 * the first layer says otherwise.
 *
 * @throws InputError if it is not a readout, or a tensor is missing or has another shape.
 */
export function readReadout (value: unknown, tensor: Scope['tensor']): Readout {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0) throw unprocessable('/readout', 'is an empty list, expected at least one layer')
  const layers = list.map((one, i) => {
    const path = Array.isArray(value) ? `/readout/${i}` : '/readout'
    const { of, ...layer } = readLayer(one, path)
    if (i > 0 && of !== undefined) throw unprocessable(`${path}/of`, 'is for the first layer: each later layer reads the one before it')
    return { path, of, ...readLinear(layer, path, tensor) }
  })
  const [{ of, path }] = layers
  return {
    width: layers[layers.length - 1].linear.out,
    feed: (scope) => layers.reduce<Feed>((from, { linear, takes, path }) => {
      scope.demands.push({ path, feeds: [from], width: linear.in, by: takes })
      return { kind: 'linear', linear, of: from }
    }, readFeed(of ?? 'h', `${path}/of`, scope))
  }
}

/** What each direction ends with, in a network with two: the forward one after a row's last step, the backward one after its first. */
export const H_LAST = 'h_last'

/** Why there is no `h_last` in one direction. */
export const NO_H_LAST = `${H_LAST} is for networks of two directions; in one direction "return_sequences": false in a request gives y of the last step`

/**
 * The feed of a readout without a wiring. It is made from the network's own `h` and, with one direction, `c`. With two
 * directions, it is made from `h_last` instead of `h` if it is computed once per row.
 */
export function plainReadout (readout: Readout, layers: Layers, tensor: Scope['tensor']): Feed {
  const own = ownWidths(layers)
  const both = directionsOf(layers) === 2
  if (both) own.set(H_LAST, sizesOf(layers).Ho)
  const demands: Demand[] = []
  const names = [...own.keys()].join(both ? ' or ' : ' and ')
  const refuse = (name: string): string | undefined => {
    if (own.has(name)) return undefined
    return name === H_LAST ? NO_H_LAST : `a readout ${both ? 'of a network of two directions' : 'without a wiring'} is computed from ${names}, not from ${name}`
  }
  const feed = readout.feed({ tensor, demands, refuse })
  const parts = partsOf(feed)
  if (parts.has(H_LAST) && parts.has('h')) throw unprocessable('/readout', `is computed from h, once per step, and from ${H_LAST}, once per row: expected one of them`)
  findWidths(demands, own, [])
  return feed
}

/** The feed of `y`, with `h` or `h_last` replaced by what both directions write. */
export function ofBoth (feed: Feed, h: Feed): Feed {
  switch (feed.kind) {
    case 'part': return feed.name === 'h' || feed.name === H_LAST ? h : part(feed.name)
    case 'linear': return { ...feed, of: ofBoth(feed.of, h) }
    default: return { ...feed, of: feed.of.map((one) => ofBoth(one, h)) }
  }
}
