import { directionsOf, type Layers } from '../network/layers.ts'
import { carrySize } from '../network/cell.ts'
import { nodeWidth, PLAIN, type Input, type Network, type Node, type Stage, type Wiring } from '../network/network.ts'
import { concat, part, partsOf, type Feed, type Linear } from '../network/feed.ts'
import type { Embedding, ModelInput } from './input.ts'
import type { Policy } from './policies/policy.ts'
import { ofBoth } from './policies/readout.ts'

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
  /** The step of the bare network, and the sequence through the wiring. */
  readonly step: Operation
  readonly sequence: Operation
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

/** What an operation takes for each step, and what it makes of it beside h. */
export interface Operation {
  /** How many numbers of x, or how many an embedding makes of an id; 0 if neither is read. */
  readonly width: number
  /** What makes x of ids. */
  readonly embedding?: Embedding | undefined
  /** K, the numbers of y; 0 if it makes none. */
  readonly y: number
}

/** How many numbers of x a request brings; those that bring ids have none. */
export function widthOfX ({ width, embedding }: Operation): number {
  return embedding === undefined ? width : 0
}

export interface Place {
  readonly stage: number
  /** Its place in the stage; its slices are `h{node}` and `c{node}`. */
  readonly node: number
}

/**
 * Puts a model's cells, its wiring, and what stands in front of and behind them together.
 *
 * @throws Error if the wiring feeds h back, and there are two directions.
 */
export function createServedNetwork (layers: Layers, policy: Policy, input?: ModelInput): ServedNetwork {
  if (directionsOf(layers) === 1) return oneDirection(layers, policy, input)
  if (policy.wiring !== undefined && !isPlain(policy.wiring)) throw new Error('a wiring that feeds h back needs one direction, and this network has two')
  return bothDirections(layers, policy.wiring?.readout ?? policy.readout, input)
}

/** What an operation takes that has the input in front of it, or reads `width` numbers as they come. */
function operation (width: number, y: number, input?: ModelInput): Operation {
  if (input?.kind === 'embedding') return { width, y, embedding: input }
  return { width: input?.linear.in ?? width, y }
}

function frontOf (input: ModelInput | undefined): Linear | undefined {
  return input?.kind === 'layer' ? input.linear : undefined
}

/** K of a readout: it ends with a layer. */
function widthOfY (readout: Feed | undefined): number {
  return readout?.kind === 'linear' ? readout.linear.out : 0
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
  // The bare network has the input in front of it if the wiring leaves x alone, and a y if that is made of its own h and c.
  const before = wiring === undefined || (wiring.x.kind === 'part' && wiring.x.name === 'x') ? input : undefined
  const behind = readout !== undefined && wiring?.residual !== true && [...partsOf(readout)].every((name) => name === 'h' || name === 'c') ? readout : undefined
  const step = operation(I, widthOfY(behind), before)
  const sequence = operation(wiring === undefined ? I : x, widthOfY(readout), input)
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
  const sequence = operation(layers.nodes[0][0].cell.sizes.I, widthOfY(readout), given)
  let input: Input = { name: 'x', width: sequence.width }
  layers.nodes.forEach((pair, l) => {
    const last = l === layers.nodes.length - 1
    pair.forEach((node, d) => {
      if (node === undefined) return
      const direction = d === 0 ? 'forward' : 'backward'
      // The last stage of all makes y, of what it writes itself and of what was written forwards.
      const ends = last && d === 1 && readout !== undefined
      stages.push({
        name: `layer ${l} ${direction}`,
        direction,
        inputs: ends ? [input, { name: FORWARD, width: nodeWidth(pair[0]) }] : [input],
        front: l === 0 ? frontOf(given) : undefined,
        nodes: [node],
        wiring: { ...PLAIN, x: part(input.name), readout: ends ? ofBoth(readout, concat(part(FORWARD), part('h'))) : undefined }
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
      step: operation(0, 0),
      sequence,
      hIn: sum(nodes, nodeWidth),
      output: input.width,
      places: stages.map((_, stage) => ({ stage, node: 0 }))
    }
  }
}

/** The input of a backward stage that is what its layer has written forwards. */
export const FORWARD = 'forward'

function shapeOf (layers: Layers, nodes: readonly Node[]): Pick<Shape, 'layers' | 'directions' | 'I' | 'Hi' | 'Ho' | 'hOut' | 'c'> {
  const [{ cell: { sizes: { I, Hi } } }] = nodes
  return {
    layers: layers.nodes.length,
    directions: directionsOf(layers),
    I,
    Hi,
    Ho: nodeWidth(nodes[nodes.length - 1]),
    hOut: sum(nodes, nodeWidth),
    // A GRU's carry is its last h, which the answer has as h.
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
