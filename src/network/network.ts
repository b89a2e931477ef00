import { carrySize, gatesSize, type Cell } from './cell.ts'
import { partsOf, type Feed, type Linear, type Read } from './feed.ts'
import type { Precision } from './precision.ts'

/**
 * A network: stages of nodes. Pure data, no closures.
 *
 * The nodes of a stage advance in time together, in one direction; the stages follow one another, each over the whole
 * sequence. A bare cell is one stage of one node, L layers are one stage of L nodes, two directions are two stages per layer.
 */
export interface Network {
  readonly stages: readonly Stage[]
  /** How an engine holds its matrices; f32 by default. */
  readonly precision?: Precision
}

/** What a stage reads once per step, by name. */
export interface Input {
  /** `x`, `vectors`, or the name of an earlier stage, whose output it is. */
  readonly name: string
  readonly width: number
}

export interface Stage {
  readonly name: string
  readonly direction: 'forward' | 'backward'
  readonly inputs: readonly Input[]
  /** Makes the part `x` from the input of that name; without it they are the same. */
  readonly front?: Linear | undefined
  /** At least one; each except the first reads the output of the one before it as its x. */
  readonly nodes: readonly Node[]
  readonly wiring: Wiring
}

export interface Node {
  readonly cell: Cell
  /** `W_hr` of `proj_size`: what the node writes is the cell's output through this layer. */
  readonly projection?: Linear
}

/** What feeds a stage's nodes from step to step. */
export interface Wiring {
  /** What the first node reads as its x, made from `x`, `vectors` or stages' outputs, and from the parts below. */
  readonly x: Feed
  /**
   * What the first node reads as its h: a feed; `own` if each node reads its own last output; or `host` if code outside the
   * engine makes it between two steps.
   */
  readonly h: Feed | 'own' | 'host'
  /** The width of the state that a `host` keeps for each row; 0 without a host. */
  readonly hostState: number
  /** `h` is the last node's output plus that step's x. */
  readonly residual: boolean
  /** The attention read, if any: made as a step ends, from its `h` and `c`. */
  readonly read?: Read
  /** Further parts by name, in order; each may use those before it. */
  readonly lets: readonly Let[]
  /** Makes `y` as a step ends. It feeds nothing unless another feed names it. */
  readonly readout?: Feed | undefined
}

export interface Let {
  readonly name: string
  readonly feed: Feed
}

/** Whether `y` is part of what feeds the nodes. */
export function isFedBack ({ x, h, lets }: Wiring): boolean {
  return [x, ...(typeof h === 'object' ? [h] : []), ...lets.map(({ feed }) => feed)].some((feed) => partsOf(feed).has('y'))
}

/** The lets that are made from `y`, directly or through other lets. */
export function letsOfY (lets: readonly Let[]): Set<string> {
  const names = new Set<string>()
  for (const { name, feed } of lets) {
    const parts = partsOf(feed)
    if (parts.has('y') || [...names].some((other) => parts.has(other))) names.add(name)
  }
  return names
}

/** The wiring of nodes that read x and their own last output. */
export const PLAIN: Wiring = { x: { kind: 'part', name: 'x' }, h: 'own', hostState: 0, residual: false, lets: [] }

/** A bare cell. It reads its own `h` if its sizes allow that; otherwise the client makes it. */
export function bareCell (cell: Cell, wiring: Wiring = { ...PLAIN, h: cell.sizes.Hi === cell.sizes.Ho ? 'own' : 'host' }): Network {
  return { stages: [{ name: 'cell', direction: 'forward', inputs: [{ name: 'x', width: cell.sizes.I }], nodes: [{ cell }], wiring }] }
}

/** The width of what a node writes. */
export function nodeWidth ({ cell, projection }: Node): number {
  return projection?.out ?? cell.sizes.Ho
}

/** What can be seen of nodes at each step: the `h` that they write, `c` of an LSTM, and the gates as they are applied. */
export const TAPS = ['h', 'c', 'gates'] as const
export type Tap = typeof TAPS[number]

/** How many numbers can be seen of a node. */
export function tapWidth (tap: Tap, node: Node): number {
  const { cell } = node
  switch (tap) {
    case 'h': return nodeWidth(node)
    case 'c': return cell.kind === 'lstm' ? carrySize(cell) : 0
    case 'gates': return gatesSize(cell)
  }
}
