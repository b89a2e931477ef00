import type { Cell } from './cell.ts'
import type { Feed, Linear, Read } from './feed.ts'
import type { Stage, Wiring } from './network.ts'

const NONE = new Float32Array(0)

/** A stage without its weights: an engine has them in its own form, so they need not be in memory twice. */
export function withoutWeights (stage: Stage): Stage {
  return {
    ...stage,
    front: stage.front && bareLinear(stage.front),
    nodes: stage.nodes.map(({ cell, projection }) => ({ cell: bareCell(cell), ...(projection !== undefined && { projection: bareLinear(projection) }) })),
    wiring: wiringWithoutWeights(stage.wiring)
  }
}

export function wiringWithoutWeights ({ x, h, read, lets, readout, ...rest }: Wiring): Wiring {
  return {
    ...rest,
    x: feedWithoutWeights(x),
    h: typeof h === 'string' ? h : feedWithoutWeights(h),
    ...(read !== undefined && { read: bareRead(read) }),
    lets: lets.map(({ name, feed }) => ({ name, feed: feedWithoutWeights(feed) })),
    readout: readout && feedWithoutWeights(readout)
  }
}

export function feedWithoutWeights (feed: Feed): Feed {
  switch (feed.kind) {
    case 'part': return feed
    case 'linear': return { ...feed, linear: bareLinear(feed.linear), of: feedWithoutWeights(feed.of) }
    default: return { ...feed, of: feed.of.map(feedWithoutWeights) }
  }
}

function bareRead ({ query, key, value, v, ...rest }: Read): Read {
  return {
    ...rest,
    query: feedWithoutWeights(query),
    ...(key !== undefined && { key: bareLinear(key) }),
    ...(value !== undefined && { value: value === 'key' ? value : bareLinear(value) }),
    ...(v !== undefined && { v: NONE })
  }
}

function bareCell (cell: Cell): Cell {
  return { ...cell, weightIh: NONE, weightHh: NONE, biasIh: NONE, biasHh: NONE }
}

function bareLinear (linear: Linear): Linear {
  return { ...linear, weight: NONE, bias: NONE }
}
