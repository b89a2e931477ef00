import type { Cell } from './cell.ts'
import type { Feed, Linear, Read } from './feed.ts'

/**
 * A network: stages of nodes. Pure data, no closures.
 *
 * The nodes of a stage advance in time together, in one direction; the stages follow one another, each over the whole
 * sequence. A bare cell is one stage of one node, L layers are one stage of L nodes, two directions are two stages a layer.
 */
export interface Network {
  readonly stages: readonly Stage[]
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
  /** At least one; each but the first reads the output of the one before it as its x. */
  readonly nodes: readonly Node[]
  readonly wiring: Wiring
}

export interface Node {
  readonly cell: Cell
  /** `W_hr` of `proj_size`: what the node writes is this layer of the cell's output. */
  readonly projection?: Linear
}

/** What feeds a stage's nodes from step to step. */
export interface Wiring {
  /** What the first node reads as its x, made of `x`, `vectors` or stages' outputs, and of the parts below. */
  readonly x: Feed
  /**
   * What the first node reads as its h: a feed; `own`, each node its own last output; or `host`, which somebody outside of
   * the engine makes between two steps.
   */
  readonly h: Feed | 'own' | 'host'
  /** The width of the state that a `host` keeps for each row; 0 without. */
  readonly hostState: number
  /** `h` is the last node's output plus that step's x. */
  readonly residual: boolean
  /** The attention read, if any: made as a step ends, from its `h` and `c`. */
  readonly read?: Read
  /** Further parts by name, in order; each may use those before it. */
  readonly lets: ReadonlyArray<{ readonly name: string, readonly feed: Feed }>
}

/** The wiring of nodes that read x and their own last output. */
export const PLAIN: Wiring = { x: { kind: 'part', name: 'x' }, h: 'own', hostState: 0, residual: false, lets: [] }

/** A bare cell whose `h` the client makes, or the cell's own if its sizes allow that. */
export function bareCell (cell: Cell, wiring: Wiring = { ...PLAIN, h: cell.sizes.Hi === cell.sizes.Ho ? 'own' : 'host' }): Network {
  return { stages: [{ name: 'cell', direction: 'forward', inputs: [{ name: 'x', width: cell.sizes.I }], nodes: [{ cell }], wiring }] }
}

/** The width of what a node writes. */
export function nodeWidth ({ cell, projection }: Node): number {
  return projection?.out ?? cell.sizes.Ho
}
