import type { Cell } from '../../src/network/cell.ts'
import type { Feed, Linear } from '../../src/network/feed.ts'
import type { Network, Stage } from '../../src/network/network.ts'
import { roundMatrix, type Precision } from '../../src/network/precision.ts'

/** The values that a matrix represents when it is stored in a precision. */
export function heldMatrix (precision: Precision, matrix: Float32Array, rows: number): Float32Array {
  const { values, scales } = roundMatrix(precision, matrix, rows)
  const columns = matrix.length / rows
  return scales === undefined ? values : values.map((value, i) => value * scales[Math.floor(i / columns)])
}

/** A float32 network with the values that another network's matrices represent. */
export function heldNetwork ({ stages, precision = 'f32' }: Network): Network {
  const matrix = (weights: Float32Array, rows: number): Float32Array => heldMatrix(precision, weights, rows)
  const cell = (one: Cell): Cell => ({ ...one, weightIh: matrix(one.weightIh, one.biasIh.length), weightHh: matrix(one.weightHh, one.biasHh.length) })
  const linear = (one: Linear): Linear => ({ ...one, weight: matrix(one.weight, one.out) })
  const feed = (one: Feed): Feed => {
    switch (one.kind) {
      case 'part': return one
      case 'linear': return { ...one, linear: linear(one.linear), of: feed(one.of) }
      default: return { ...one, of: one.of.map(feed) }
    }
  }
  const stage = ({ front, nodes, wiring, ...rest }: Stage): Stage => {
    const { x, h, read, lets, readout } = wiring
    return {
      ...rest,
      front: front && linear(front),
      nodes: nodes.map((node) => ({ cell: cell(node.cell), ...(node.projection !== undefined && { projection: linear(node.projection) }) })),
      wiring: {
        ...wiring,
        x: feed(x),
        h: typeof h === 'string' ? h : feed(h),
        ...(read !== undefined && {
          read: {
            ...read,
            query: feed(read.query),
            ...(read.key !== undefined && { key: linear(read.key) }),
            ...(read.value !== undefined && { value: read.value === 'key' ? read.value : linear(read.value) })
          }
        }),
        lets: lets.map((one) => ({ ...one, feed: feed(one.feed) })),
        readout: readout && feed(readout)
      }
    }
  }
  return { stages: stages.map(stage) }
}
