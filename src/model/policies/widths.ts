import { unprocessable, type InputError } from '../../errors.ts'
import { carrySize } from '../../network/cell.ts'
import type { Feed } from '../../network/feed.ts'
import { directionsOf, sizesOf, type Layers } from '../../network/layers.ts'

/** Feeds that must have the same width, which is `width` if it is given. */
export interface Demand {
  /** Where in the config it stands. */
  readonly path: string
  readonly feeds: readonly Feed[]
  readonly width?: number
  /** What demands it, in words. */
  readonly by: string
}

/** What is known about the parts: a width, or what a part is made of. The widths of all others have to be found. */
export type Parts = ReadonlyMap<string, number | Feed>

/** The widths of what the last layer writes: `h` and, for an LSTM with one direction, `c`. */
export function ownWidths (layers: Layers): Map<string, number> {
  const [{ cell }] = layers.nodes[layers.nodes.length - 1]
  const hasC = layers.kind === 'lstm' && directionsOf(layers) === 1
  return new Map([['h', sizesOf(layers).Ho], ...(hasC ? [['c', carrySize(cell)] as const] : [])])
}

/**
 * Finds the widths of all parts from what the cell and the tensors demand of the feeds: `x` is what is left of I, and so on.
 *
 * @param needed parts whose widths have to be found, even if nothing is demanded of them.
 * @returns a function that returns the width of a part.
 * @throws InputError if widths do not add up, or one is unknown.
 */
export function findWidths (demands: readonly Demand[], parts: Parts, needed: Iterable<string>): (name: string) => number {
  const found = new Map<string, number>()

  /** How many numbers of a feed are known, and which parts make the others, each as often as it occurs. */
  function measure (feed: Feed): { numbers: number, unknown: readonly string[] } {
    switch (feed.kind) {
      case 'part': {
        const known = found.get(feed.name) ?? parts.get(feed.name)
        if (typeof known === 'object') return measure(known)
        return known === undefined ? { numbers: 0, unknown: [feed.name] } : { numbers: known, unknown: [] }
      }
      case 'concat': {
        const all = feed.of.map(measure)
        return { numbers: all.reduce((sum, { numbers }) => sum + numbers, 0), unknown: all.flatMap(({ unknown }) => unknown) }
      }
      case 'linear': return { numbers: feed.linear.out, unknown: [] }
      default: {
        // All have the same width, so any known one is enough.
        const all = feed.of.map(measure)
        return all.find(({ unknown }) => unknown.length === 0) ?? all[0]
      }
    }
  }

  function widthOf (feed: Feed): number | undefined {
    const { numbers, unknown } = measure(feed)
    return unknown.length === 0 ? numbers : undefined
  }

  /** What a feed is made of, with the width of each part. */
  function tell (feed: Feed): string {
    switch (feed.kind) {
      case 'part': return [feed.name, widthOf(feed)].join(' ').trimEnd()
      case 'concat': return `[${feed.of.map(tell).join(', ')}]`
      case 'linear': return `a layer of ${feed.linear.out}`
      default: return `${feed.kind}(${feed.of.map(tell).join(', ')})`
    }
  }

  /** The width that a demand's feeds must have, if it is known. */
  function asked ({ feeds, width }: Demand): number | undefined {
    return width ?? feeds.map(widthOf).find((one) => one !== undefined)
  }

  function solve (demand: Demand): boolean {
    const width = asked(demand)
    if (width === undefined) return false
    for (const feed of demand.feeds) {
      const { numbers, unknown: [name, ...others] } = measure(feed)
      if (name === undefined || others.some((other) => other !== name)) continue
      const left = width - numbers
      const times = others.length + 1
      if (left <= 0 || left % times !== 0) {
        throw unprocessable(demand.path, `${tell(feed)} leaves ${left <= 0 ? 'no numbers' : `${left} numbers, not divisible by ${times},`} for ${name}: ${demand.by}`)
      }
      found.set(name, left / times)
      return true
    }
    return false
  }

  while (demands.some(solve));

  for (const { path, feeds, width, by } of demands) {
    const [first] = feeds
    for (const feed of feeds) {
      const { numbers, unknown } = measure(feed)
      if (unknown.length > 0) throw unknownWidths(unknown, tell(feed))
      if (width !== undefined && numbers !== width) throw unprocessable(path, `${tell(feed)} has ${numbers} numbers, but ${by}`)
      if (numbers !== widthOf(first)) throw unprocessable(path, `${tell(first)} has ${widthOf(first)} numbers and ${tell(feed)} has ${numbers}, but ${by}`)
    }
  }
  const untold = [...needed].filter((name) => widthOf({ kind: 'part', name }) === undefined)
  if (untold.length > 0) throw unknownWidths(untold, untold.join(', '))

  return (name) => {
    const width = widthOf({ kind: 'part', name })
    if (width === undefined) throw new RangeError(`the width of ${name} is not known`)
    return width
  }
}

function unknownWidths (unknown: readonly string[], where: string): InputError {
  const names = [...new Set(unknown)]
  return unprocessable('/feedback/widths', `must say how many numbers ${names.join(' or ')} ${names.length === 1 ? 'has' : 'have'}: ${where} alone does not determine it`)
}
