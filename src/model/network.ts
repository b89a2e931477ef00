import { directionsOf, type Layers } from '../network/layers.ts'
import { carrySize } from '../network/cell.ts'
import { nodeWidth, PLAIN, type Input, type Network, type Node, type Stage, type Wiring } from '../network/network.ts'
import { part } from '../network/feed.ts'
import type { Policy } from './policies/policy.ts'

/** A model's network, and how its requests and answers are shaped by it. */
export interface ServedNetwork {
  readonly network: Network
  /** How many of the stages a sequence goes through, from the first on. */
  readonly passes: number
  /** The stage that a step of the bare network goes through; none with two directions. */
  readonly bare: number | undefined
  readonly shape: Shape
}

export interface Shape {
  /** L */
  readonly layers: number
  /** D */
  readonly directions: 1 | 2
  /** What the first cell reads as its x. */
  readonly I: number
  /** What a sequence brings as x: as much, or what the wiring leaves of it; 0 if it brings none. */
  readonly X: number
  /** What the first cell reads as its h. */
  readonly Hi: number
  /** What a node writes. */
  readonly Ho: number
  /** Numbers of a row's h_in, h_out and c_in: those of all nodes, in torch's order, except that a fed cell's h_in is its Hi. */
  readonly hIn: number
  readonly hOut: number
  readonly c: number
  /** Numbers of a step's output: those of the last layer. */
  readonly output: number
  /** Where the nodes are, in torch's order. */
  readonly places: readonly Place[]
}

export interface Place {
  readonly stage: number
  /** Its place in the stage; its slices are `h{node}` and `c{node}`. */
  readonly node: number
}

/**
 * Puts a model's cells and its wiring together.
 *
 * @throws Error if the wiring feeds h back, and there are two directions.
 */
export function createServedNetwork (layers: Layers, policy: Policy): ServedNetwork {
  if (directionsOf(layers) === 1) return oneDirection(layers, policy)
  if (policy.wiring !== undefined && !isPlain(policy.wiring)) throw new Error('a wiring that feeds h back needs one direction, and this network has two')
  return bothDirections(layers)
}

/** Whether nodes read x and their own last outputs, and nothing else. */
function isPlain ({ x, h, residual, read, lets }: Wiring): boolean {
  return x.kind === 'part' && x.name === 'x' && h === 'own' && !residual && read === undefined && lets.length === 0
}

function oneDirection (layers: Layers, { wiring, vectors, x }: Policy): ServedNetwork {
  const nodes = layers.nodes.map(([forward]) => forward)
  const { I, Hi } = nodes[0].cell.sizes
  const own = nodes.length > 1 || Hi === nodeWidth(nodes[0])
  const bare: Stage = {
    name: 'network', direction: 'forward', inputs: inputsOf({ x: I }), nodes, wiring: { ...PLAIN, h: own ? 'own' : 'host' }
  }
  const X = wiring === undefined ? I : x
  const stages = wiring === undefined || (isPlain(wiring) && X === I) ? [bare] : [{ ...bare, name: 'sequence', inputs: inputsOf({ x: X, vectors }), wiring }, bare]
  const hOut = sum(nodes, nodeWidth)
  return {
    network: { stages },
    passes: 1,
    bare: stages.length - 1,
    shape: {
      ...shapeOf(layers, nodes),
      X,
      hIn: own ? hOut : Hi,
      output: nodeWidth(nodes[nodes.length - 1]),
      places: nodes.map((_, node) => ({ stage: 0, node }))
    }
  }
}

function bothDirections (layers: Layers): ServedNetwork {
  const stages: Stage[] = []
  let input: Input = { name: 'x', width: layers.nodes[0][0].cell.sizes.I }
  layers.nodes.forEach((pair, l) => {
    pair.forEach((node, d) => {
      if (node === undefined) return
      const direction = d === 0 ? 'forward' : 'backward'
      stages.push({ name: `layer ${l} ${direction}`, direction, inputs: [input], nodes: [node], wiring: { ...PLAIN, x: part(input.name) } })
    })
    input = { name: `layer ${l}`, width: sum(pair, (node) => node === undefined ? 0 : nodeWidth(node)) }
  })
  const nodes = stages.map((stage) => stage.nodes[0])
  return {
    network: { stages },
    passes: stages.length,
    bare: undefined,
    shape: {
      ...shapeOf(layers, nodes),
      X: nodes[0].cell.sizes.I,
      hIn: sum(nodes, nodeWidth),
      output: input.width,
      places: stages.map((_, stage) => ({ stage, node: 0 }))
    }
  }
}

function shapeOf (layers: Layers, nodes: readonly Node[]): Pick<Shape, 'layers' | 'directions' | 'I' | 'Hi' | 'Ho' | 'hOut' | 'c'> {
  const [{ cell: { sizes: { I, Hi } } }] = nodes
  return {
    layers: layers.nodes.length,
    directions: directionsOf(layers),
    I,
    Hi,
    Ho: nodeWidth(nodes[nodes.length - 1]),
    hOut: sum(nodes, nodeWidth),
    // A GRU's carry is its last h, which is told as h.
    c: layers.kind === 'lstm' ? sum(nodes, ({ cell }) => carrySize(cell)) : 0
  }
}

/** The inputs that have a width. */
function inputsOf (widths: Readonly<Record<string, number | undefined>>): Input[] {
  return Object.entries(widths).flatMap(([name, width = 0]) => width === 0 ? [] : [{ name, width }])
}

function sum<T> (items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
