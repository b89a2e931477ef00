import { createCell, GATES, type Cell, type CellKind, type CellSizes, type GateFunction } from '../../src/network/cell.ts'
import { concat, feedWidth, part, partsOf, readWidth, type Activation, type Feed, type Linear, type Read } from '../../src/network/feed.ts'
import { nodeWidth, PLAIN, type Input, type Let, type Network, type Node, type Stage, type Wiring } from '../../src/network/network.ts'
import { PRECISIONS } from '../../src/network/precision.ts'
import { pick, randomFloats, size, type Random } from './random.ts'

/** Draws a cell whose sums are about 1 in magnitude. */
export function drawCell (sizes: CellSizes, random: Random, { kind = 'lstm', activation = 'tanh', gate = 'sigmoid' }: Partial<Pick<Cell, 'kind' | 'activation' | 'gate'>> = {}): Cell {
  const { I, Hi, Ho } = sizes
  const scale = Math.sqrt(3 / (I + Hi))
  const rows = GATES[kind] * Ho
  return createCell({
    kind,
    activation,
    gate,
    sizes,
    weightIh: randomFloats(rows * I, random, scale),
    weightHh: randomFloats(rows * Hi, random, scale),
    biasIh: randomFloats(rows, random, 0.5),
    biasHh: randomFloats(rows, random, 0.5)
  })
}

export function drawLinear (from: number, to: number, random: Random, activation: Activation = 'none'): Linear {
  return { in: from, out: to, weight: randomFloats(to * from, random, Math.sqrt(3 / from)), bias: randomFloats(to, random, 0.5), activation }
}

/** A network of one stage that reads `x`, and `vectors` if they have a width. */
export function oneStage (nodes: readonly Cell[], wiring: Partial<Wiring> = {}, x = nodes[0].sizes.I, vectors = 0): Network {
  const stage: Stage = {
    name: 'stage',
    direction: 'forward',
    inputs: [{ name: 'x', width: x }, { name: 'vectors', width: vectors }].filter(({ width }) => width > 0),
    nodes: nodes.map((cell) => ({ cell })),
    wiring: { ...PLAIN, ...wiring }
  }
  return { stages: [stage] }
}

/** Draws a network of any form and any precision: one stage, or four (two layers with two directions each). */
export function drawNetwork (random: Random, most = 24): Network {
  if (random() < 0.8) return drawOneStage(random, most)
  const layer = (name: string, inputs: readonly Input[]): Stage[] => [drawStack(inputs, 'forward', name, random, most), drawStack(inputs, 'backward', `${name}_reverse`, random, most)]
  const first = layer('l0', [{ name: 'x', width: size(random, most) }])
  const between = first.map(({ name, nodes }) => ({ name, width: nodeWidth(nodes[nodes.length - 1]) }))
  return { stages: [...first, ...layer('l1', between)], precision: pick(random, ...PRECISIONS) }
}

/** Draws a network of one stage: any cells, feeds and reads, with widths up to `most`, in any precision. */
export function drawOneStage (random: Random, most = 40): Network {
  const X = size(random, most)
  const stage = random() < 0.25 ? drawStack([{ name: 'x', width: X }], pick(random, 'forward', 'backward'), 'stack', random, most) : drawWired(X, random, most)
  const precision = pick(random, ...PRECISIONS)
  if (random() < 0.7) return { stages: [stage], precision }
  const front = drawLinear(size(random, most), X, random, drawActivation(random))
  return { stages: [{ ...stage, front, inputs: stage.inputs.map((input) => input.name === 'x' ? { ...input, width: front.in } : input) }], precision }
}

const drawActivation = (random: Random): Activation => pick(random, 'none', 'tanh', 'relu', 'sigmoid', 'softmax', 'log_softmax')

/** @param h the width of the first node's h, unless it reads its own last output. */
function drawNodes (I: number, h: number | undefined, layers: readonly Layer[], random: Random): Node[] {
  return layers.map(({ kind, Ho, P }, n): Node => {
    const sizes = { I: n === 0 ? I : widthOf(layers[n - 1]), Hi: n === 0 && h !== undefined ? h : P ?? Ho, Ho }
    const gate = pick<GateFunction>(random, 'sigmoid', 'sigmoid', { slope: 0.2 }, { slope: 1 / 6 })
    const cell = drawCell(sizes, random, { kind, activation: pick(random, 'tanh', 'relu'), ...(kind !== 'rnn' && { gate }) })
    return { cell, ...(P !== undefined && { projection: drawLinear(Ho, P, random) }) }
  })
}

/** The shape of a node: the width of its cell's output, and the width that this is projected to, if it is. */
interface Layer {
  readonly kind: CellKind
  readonly Ho: number
  readonly P: number | undefined
}

const widthOf = ({ Ho, P }: Layer): number => P ?? Ho

function drawLayers (random: Random, most: number): Layer[] {
  const count = pick(random, 1, 1, 1, 2, 3)
  return Array.from({ length: count }, () => ({ kind: pick<CellKind>(random, 'lstm', 'lstm', 'gru', 'rnn'), Ho: size(random, most), P: random() < 0.2 ? size(random, most) : undefined }))
}

/** The h and c that a stage's feeds can read, with their widths. */
function statesOf (layers: readonly Layer[]): Array<[string, number]> {
  const last = layers[layers.length - 1]
  return [['h', widthOf(last)], ...(last.kind === 'lstm' ? [['c', last.Ho] satisfies [string, number]] : [])]
}

/** Nodes that read their own last outputs. */
function drawStack (inputs: readonly Input[], direction: Stage['direction'], name: string, random: Random, most: number): Stage {
  const layers = drawLayers(random, most)
  const feeds = new Feeds(random, most, statesOf(layers))
  const I = inputs.reduce((sum, { width }) => sum + width, 0)
  return {
    name,
    direction,
    inputs,
    nodes: drawNodes(I, undefined, layers, random),
    wiring: { ...PLAIN, x: concat(...inputs.map((input) => part(input.name))), readout: random() < 0.4 ? feeds.readout(feeds.draw(feeds.names(), 1)) : undefined }
  }
}

/** Nodes fed by reads, lets and their parts. */
function drawWired (X: number, random: Random, most: number): Stage {
  const layers = drawLayers(random, most)
  const residual = random() < 0.2
  if (residual) layers.push({ ...pick(random, ...layers), P: X })
  const inputs: Input[] = [{ name: 'x', width: X }, ...(random() < 0.4 ? [{ name: 'vectors', width: size(random, most) }] : [])]
  const states = statesOf(layers)
  const feeds = new Feeds(random, most, [...inputs.map(({ name, width }) => [name, width] satisfies [string, number]), ...states])
  const read = random() < 0.6 ? drawRead(states.map(([name]) => name), feeds, random, most) : undefined
  if (read !== undefined) feeds.widths.set('read', readWidth(read))

  // Feeds from a step's own inputs are computed when the step begins, and are not known before.
  const late = new Set(inputs.map(({ name }) => name))
  const lets: Let[] = []
  const drawLets = (stem: string): void => {
    for (let n = Math.floor(random() * 3); n > 0; n--) {
      const names = feeds.names()
      const feed = feeds.draw(random() < 0.4 ? names : names.filter((name) => !late.has(name)), 2)
      const name = `${stem}${n}`
      lets.push({ name, feed })
      feeds.widths.set(name, feeds.widthOf(feed))
      if ([...partsOf(feed)].some((one) => late.has(one))) late.add(name)
    }
  }
  drawLets('let')
  const back = random() < 0.3
  const readout = back || random() < 0.3 ? feeds.readout(feeds.draw(feeds.names().filter((name) => !back || !late.has(name)), 1)) : undefined
  if (back && readout !== undefined) {
    feeds.widths.set('y', feeds.widthOf(readout))
    drawLets('after')
  }

  const h = random() < 0.7 ? feeds.draw(feeds.names(), 2) : 'own'
  const x = pick<Feed>(random, part('x'), concat(part('x'), feeds.draw(feeds.names(), 1)), feeds.draw(feeds.names(), 2))
  const I = x.kind === 'part' && random() < 0.2 ? 0 : feeds.widthOf(x)
  return {
    name: 'wired',
    direction: 'forward',
    inputs,
    nodes: drawNodes(I, h === 'own' ? undefined : feeds.widthOf(h), layers, random),
    wiring: { x, h, hostState: random() < 0.1 ? size(random, most) : 0, residual, ...(read !== undefined && { read }), lets, readout }
  }
}

function drawRead (names: readonly string[], feeds: Feeds, random: Random, most: number): Read {
  const support = size(random, most)
  const key = random() < 0.5 ? drawLinear(support, size(random, most), random, pick(random, 'none', 'tanh')) : undefined
  const width = key?.out ?? support
  const value = random() < 0.5 ? drawLinear(support, size(random, most), random) : key === undefined || random() < 0.5 ? undefined : 'key'
  const asked = feeds.draw(names, 1)
  const score = pick(random, 'dot', 'cosine', 'additive')
  return {
    score,
    scale: pick(random, 1, 0.5, 1 / Math.sqrt(width)),
    query: feeds.widthOf(asked) === width ? asked : feeds.through(asked, width),
    support,
    ...(key !== undefined && { key }),
    ...(value !== undefined && { value }),
    ...(score === 'additive' && { v: randomFloats(width, random), activation: pick(random, 'tanh', 'relu') })
  }
}

/** Draws feeds from parts whose widths are known. */
class Feeds {
  readonly widths: Map<string, number>
  private readonly random: Random
  private readonly most: number

  constructor (random: Random, most: number, widths: Iterable<[string, number]>) {
    this.random = random
    this.most = most
    this.widths = new Map(widths)
  }

  names (): string[] {
    return [...this.widths.keys()]
  }

  widthOf (feed: Feed): number {
    return feedWidth(feed, (name) => this.widths.get(name) ?? NaN)
  }

  /** A feed through a layer. */
  through (of: Feed, out: number, activation?: Activation): Feed {
    return { kind: 'linear', linear: drawLinear(this.widthOf(of), out, this.random, activation), of }
  }

  draw (names: readonly string[], depth: number): Feed {
    const kind = depth === 0 ? 'part' : pick(this.random, 'part', 'concat', 'linear', 'sum', 'product')
    if (kind === 'part') return part(pick(this.random, ...names))
    const first = this.draw(names, depth - 1)
    if (kind === 'linear') return this.through(first, size(this.random, this.most), drawActivation(this.random))
    const others = Array.from({ length: pick(this.random, 1, 2) }, () => this.draw(names, depth - 1))
    if (kind === 'concat') return concat(first, ...others)
    // A value that is squared at each step overflows after a few steps.
    return { kind, of: [first, ...others.map((other) => this.through(other, this.widthOf(first), kind === 'product' ? pick(this.random, 'tanh', 'sigmoid') : 'none'))] }
  }

  /** One or two layers on top of a feed. */
  readout (of: Feed): Feed {
    const layers = this.random() < 0.6 ? 1 : 2
    return Array.from({ length: layers }).reduce<Feed>((feed) => this.through(feed, size(this.random, this.most), drawActivation(this.random)), of)
  }
}
