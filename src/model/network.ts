import { directionsOf, type Layers } from '../network/layers.ts'
import { carrySize } from '../network/cell.ts'
import { nodeWidth, PLAIN, type Input, type Network, type Node, type Stage, type Wiring } from '../network/network.ts'
import { concat, part, partsOf, type Feed, type Linear } from '../network/feed.ts'
import type { Embedding, ModelInput } from './input.ts'
import type { Policy } from './policies/policy.ts'
import { H_LAST, ofBoth } from './policies/readout.ts'

/** A model's network, and the shapes of its requests and answers. */
export interface ServedNetwork {
  readonly network: Network
  /** How many stages a sequence goes through, counted from the first. */
  readonly passes: number
  /** The stage that a step of the bare network goes through; undefined with two directions. */
  readonly bare: number | undefined
  readonly shape: Shape
}

export interface Shape {
  /** L */
  readonly layers: number
  /** D */
  readonly directions: 1 | 2
  /** How many numbers the first cell reads as its x. */
  readonly I: number
  /** The step of the bare network, and the sequence through the wiring. */
  readonly step: Operation
  readonly sequence: Operation
  /** How many numbers the first cell reads as its h. */
  readonly Hi: number
  /** How many numbers a node writes. */
  readonly Ho: number
  /** Widths of a row's h_in, h_out and c_in, which cover all nodes in torch's order, except that the h_in of a fed cell has width Hi. */
  readonly hIn: number
  readonly hOut: number
  readonly c: number
  /** The width of a step's output, which is the last layer's. */
  readonly output: number
  /** Where the nodes are, in torch's order. */
  readonly places: readonly Place[]
}

/** What an operation reads for each step, and what it computes in addition to h. */
export interface Operation {
  /** How many numbers x has, or how many an embedding makes from an id; 0 if neither is read. */
  readonly width: number
  /** What turns ids into x. */
  readonly embedding?: Embedding | undefined
  /** K, the width of y; 0 if there is no y. */
  readonly y: number
  /** Whether y is computed from what a row ends with: once per row, not once per step. */
  readonly once: boolean
}

/** How many numbers of x a request sends; 0 if it sends ids. */
export function widthOfX ({ width, embedding }: Operation): number {
  return embedding === undefined ? width : 0
}

export interface Place {
  readonly stage: number
  /** The node's position in the stage; its slices are `h{node}` and `c{node}`. */
  readonly node: number
}

/**
 * Assembles a model's cells, its wiring, its input and its readout.
 *
 * @throws Error if the wiring feeds h back, and there are two directions.
 */
export function createServedNetwork (layers: Layers, policy: Policy, input?: ModelInput): ServedNetwork {
  if (directionsOf(layers) === 1) return oneDirection(layers, policy, input)
  if (policy.wiring !== undefined && !isPlain(policy.wiring)) throw new Error('a wiring that feeds h back needs one direction, and this network has two')
  return bothDirections(layers, policy.wiring?.readout ?? policy.readout, input)
}

/** The operation with the input in front of it, or one that reads `width` numbers directly. */
function operation (width: number, readout: Feed | undefined, input?: ModelInput): Operation {
  const behind = { y: widthOfY(readout), once: isOfEnds(readout) }
  if (input?.kind === 'embedding') return { width, ...behind, embedding: input }
  return { width: input?.linear.in ?? width, ...behind }
}

function frontOf (input: ModelInput | undefined): Linear | undefined {
  return input?.kind === 'layer' ? input.linear : undefined
}

/** K of a readout, which ends with a layer. */
function widthOfY (readout: Feed | undefined): number {
  return readout?.kind === 'linear' ? readout.linear.out : 0
}

function isOfEnds (readout: Feed | undefined): boolean {
  return readout !== undefined && partsOf(readout).has(H_LAST)
}

/** Whether nodes read x and their own last outputs, and nothing else. */
function isPlain ({ x, h, residual, read, lets }: Wiring): boolean {
  return x.kind === 'part' && x.name === 'x' && h === 'own' && !residual && read === undefined && lets.length === 0
}

function oneDirection (layers: Layers, { wiring, vectors, x, ...policy }: Policy, input?: ModelInput): ServedNetwork {
  const nodes = layers.nodes.map(([forward]) => forward)
  const { I, Hi } = nodes[0].cell.sizes
  const own = nodes.length > 1 || Hi === nodeWidth(nodes[0])
  const readout = wiring?.readout ?? policy.readout
  // The bare network has the input in front of it if the wiring leaves x alone, and a y if y is computed from its own h and c.
  const before = wiring === undefined || (wiring.x.kind === 'part' && wiring.x.name === 'x') ? input : undefined
  const behind = readout !== undefined && wiring?.residual !== true && [...partsOf(readout)].every((name) => name === 'h' || name === 'c') ? readout : undefined
  const step = operation(I, behind, before)
  const sequence = operation(wiring === undefined ? I : x, readout, input)
  const front = frontOf(input)
  const bare: Stage = {
    name: 'network',
    direction: 'forward',
    inputs: inputsOf({ x: step.width }),
    front: frontOf(before),
    nodes,
    wiring: { ...PLAIN, h: own ? 'own' : 'host', readout: behind }
  }
  const isBare = wiring === undefined || (isPlain(wiring) && x === I && readout === behind)
  const stages = isBare ? [bare] : [{ ...bare, name: 'sequence', inputs: inputsOf({ x: sequence.width, vectors }), front, wiring }, bare]
  const hOut = sum(nodes, nodeWidth)
  return {
    network: { stages },
    passes: 1,
    bare: stages.length - 1,
    shape: {
      ...shapeOf(layers, nodes),
      step,
      sequence,
      hIn: own ? hOut : Hi,
      output: nodeWidth(nodes[nodes.length - 1]),
      places: nodes.map((_, node) => ({ stage: 0, node }))
    }
  }
}

function bothDirections (layers: Layers, readout: Feed | undefined, given?: ModelInput): ServedNetwork {
  const stages: Stage[] = []
  const sequence = operation(layers.nodes[0][0].cell.sizes.I, readout, given)
  let input: Input = { name: 'x', width: sequence.width }
  layers.nodes.forEach((pair, l) => {
    const last = l === layers.nodes.length - 1
    pair.forEach((node, d) => {
      if (node === undefined) return
      const direction = d === 0 ? 'forward' : 'backward'
      // The very last stage computes y from its own output and its layer's forward output, at the same step or at the last one.
      const ends = last && d === 1 && readout !== undefined
      const forward = sequence.once ? FORWARD_LAST : FORWARD
      stages.push({
        name: `layer ${l} ${direction}`,
        direction,
        inputs: ends ? [input, { name: forward, width: nodeWidth(pair[0]) }] : [input],
        front: l === 0 ? frontOf(given) : undefined,
        nodes: [node],
        wiring: { ...PLAIN, x: part(input.name), readout: ends ? ofBoth(readout, concat(part(forward), part('h'))) : undefined }
      })
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
      step: operation(0, undefined),
      sequence,
      hIn: sum(nodes, nodeWidth),
      output: input.width,
      places: stages.map((_, stage) => ({ stage, node: 0 }))
    }
  }
}

/** The input of a backward stage that holds its layer's forward output. */
export const FORWARD = 'forward'
/** The same, of the last step alone. */
export const FORWARD_LAST = 'forward last'

function shapeOf (layers: Layers, nodes: readonly Node[]): Pick<Shape, 'layers' | 'directions' | 'I' | 'Hi' | 'Ho' | 'hOut' | 'c'> {
  const [{ cell: { sizes: { I, Hi } } }] = nodes
  return {
    layers: layers.nodes.length,
    directions: directionsOf(layers),
    I,
    Hi,
    Ho: nodeWidth(nodes[nodes.length - 1]),
    hOut: sum(nodes, nodeWidth),
    // A GRU's carry is its last h, which the answer already has as h.
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
