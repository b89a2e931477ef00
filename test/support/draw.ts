import { createCell, GATES, type Cell, type CellKind, type CellSizes, type GateFunction } from '../../src/network/cell.ts'
import { concat, feedWidth, part, partsOf, readWidth, type Activation, type Feed, type Linear, type Read } from '../../src/network/feed.ts'
import { nodeWidth, PLAIN, type Input, type Network, type Node, type Stage, type Wiring } from '../../src/network/network.ts'

/** Numbers from 0 to 1. */
export type Random = () => number

const floats = (length: number, random: Random, scale: number): Float32Array => Float32Array.from({ length }, () => (random() * 2 - 1) * scale)

export function pick<T> (random: Random, ...choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]
}

/** A whole number from `least` to `most`; small ones are as likely as large ones. */
export function size (random: Random, most: number, least = 1): number {
  return Math.max(least, Math.floor(least + (most - least + 1) * random() ** 3))
}

/** A cell whose sums are of about 1. */
export function drawCell (kind: CellKind, sizes: CellSizes, random: Random): Cell {
  const rows = GATES[kind] * sizes.Ho
  const scale = Math.sqrt(3 / (sizes.I + sizes.Hi))
  return createCell({
    kind,
    activation: pick(random, 'tanh', 'relu'),
    gate: kind === 'rnn' ? 'sigmoid' : pick<GateFunction>(random, 'sigmoid', 'sigmoid', { slope: 0.2 }, { slope: 1 / 6 }),
    sizes,
    weightIh: floats(rows * sizes.I, random, scale),
    weightHh: floats(rows * sizes.Hi, random, scale),
    biasIh: floats(rows, random, 0.5),
    biasHh: floats(rows, random, 0.5)
  })
}

export function drawLinear (from: number, to: number, random: Random, activation: Activation = pick(random, 'none', 'tanh', 'relu', 'sigmoid', 'softmax', 'log_softmax')): Linear {
  return { in: from, out: to, weight: floats(to * from, random, Math.sqrt(3 / from)), bias: floats(to, random, 0.5), activation }
}

function drawRead (h: number, c: number, random: Random, most: number): Read {
  const support = size(random, most)
  const key = random() < 0.5 ? drawLinear(support, size(random, most), random, 'none') : undefined
  const width = key?.out ?? support
  const asked: Feed = c > 0 && random() < 0.3 ? concat(part('h'), part('c')) : part('h')
  const asks = asked.kind === 'part' ? h : h + c
  const query: Feed = asks === width && random() < 0.5 ? asked : { kind: 'linear', linear: drawLinear(asks, width, random), of: asked }
  const score = pick(random, 'dot', 'cosine', 'additive')
  return {
    score,
    scale: pick(random, 1, 1 / Math.sqrt(width), 2),
    query,
    support,
    ...(key !== undefined && { key }),
    ...(random() < 0.5 && { value: key !== undefined && random() < 0.5 ? 'key' : drawLinear(support, size(random, most), random, 'none') }),
    ...(score === 'additive' && { v: floats(width, random, 1), activation: pick(random, 'tanh', 'relu') })
  }
}

/** One layer or two of a feed. */
function drawReadout (of: Feed, width: number, random: Random, most: number): Feed {
  const hidden = drawLinear(width, size(random, most), random)
  const one: Feed = { kind: 'linear', linear: hidden, of }
  return random() < 0.6 ? one : { kind: 'linear', linear: drawLinear(hidden.out, size(random, most), random), of: one }
}

/** What makes x, if a layer does. */
function drawFront (x: number, random: Random, most: number): Linear | undefined {
  return random() < 0.3 ? drawLinear(size(random, most), x, random) : undefined
}

/** A stage of several nodes that read their own last outputs. */
function drawStack (inputs: readonly Input[], direction: Stage['direction'], name: string, random: Random, most: number): Stage {
  const kind = pick(random, 'lstm', 'gru', 'rnn')
  const nodes: Node[] = []
  let I = inputs.reduce((sum, { width }) => sum + width, 0)
  for (let layers = size(random, 3); layers > 0; layers--) {
    const Ho = size(random, most)
    const P = kind === 'lstm' && random() < 0.3 ? size(random, most) : undefined
    const cell = drawCell(kind, { I, Hi: P ?? Ho, Ho }, random)
    nodes.push({ cell, ...(P !== undefined && { projection: drawLinear(Ho, P, random, 'none') }) })
    I = P ?? Ho
  }
  const last = nodes[nodes.length - 1]
  const c = last.cell.kind === 'lstm' && random() < 0.3 ? last.cell.sizes.Ho : 0
  const made: Feed = c > 0 ? concat(part('h'), part('c')) : part('h')
  const readout = random() < 0.4 ? drawReadout(made, nodeWidth(last) + c, random, most) : undefined
  return { name, direction, inputs, nodes, wiring: { ...PLAIN, x: concat(...inputs.map((input) => part(input.name))), readout } }
}

/** A stage with reads, lets and feeds, in front of one layer or two. */
function drawWired (random: Random, most: number): Stage {
  const kind = pick(random, 'lstm', 'gru', 'rnn')
  const Ho = size(random, most)
  const layers = size(random, 2)
  const X = random() < 0.2 ? Ho : size(random, most)
  const residual = X === Ho && random() < 0.7
  const inputs: Input[] = [{ name: 'x', width: X }]
  if (random() < 0.5) inputs.push({ name: 'vectors', width: size(random, most) })
  const c = kind === 'lstm' ? Ho : 0
  const read = random() < 0.7 ? drawRead(Ho, c, random, most) : undefined
  const widths = new Map<string, number>([...inputs.map(({ name, width }): [string, number] => [name, width]), ['h', Ho], ['c', c]])
  if (c === 0) widths.delete('c')
  if (read !== undefined) widths.set('read', readWidth(read))
  const draw = (depth: number, names: readonly string[]): { feed: Feed, width: number } => {
    const choice = depth === 0 ? 0 : random()
    if (choice < 0.4) {
      const name = pick(random, ...names)
      return { feed: part(name), width: widths.get(name) ?? 0 }
    }
    if (choice < 0.6) {
      const parts = [draw(depth - 1, names), draw(depth - 1, names)]
      return { feed: concat(...parts.map(({ feed }) => feed)), width: parts[0].width + parts[1].width }
    }
    const inner = draw(depth - 1, names)
    if (choice < 0.8) {
      const out = size(random, most)
      return { feed: { kind: 'linear', linear: drawLinear(inner.width, out, random), of: inner.feed }, width: out }
    }
    const other = draw(depth - 1, names)
    const fitted: Feed = { kind: 'linear', linear: drawLinear(other.width, inner.width, random), of: other.feed }
    return { feed: { kind: pick(random, 'sum', 'product'), of: [inner.feed, fitted] }, width: inner.width }
  }
  const lets: Array<{ name: string, feed: Feed }> = []
  const late = new Set(inputs.map(({ name }) => name))
  const drawLets = (name: string): void => {
    for (let n = Math.floor(random() * 3); n > 0; n--) {
      const { feed, width } = draw(2, [...widths.keys()])
      lets.push({ name: `${name}${n}`, feed })
      widths.set(`${name}${n}`, width)
      if ([...partsOf(feed)].some((one) => late.has(one))) late.add(`${name}${n}`)
    }
  }
  drawLets('let')
  // A y that is fed back is made of what is known before a step.
  const back = random() < 0.4
  const of = back || random() < 0.4 ? draw(1, [...widths.keys()].filter((name) => !back || !late.has(name))) : undefined
  const readout = of === undefined ? undefined : drawReadout(of.feed, of.width, random, most)
  if (back && readout !== undefined) {
    widths.set('y', feedWidth(readout, (name) => widths.get(name) ?? NaN))
    drawLets('after')
  }
  const x = draw(2, ['x', ...widths.keys()])
  const h = layers === 1 && random() < 0.7 ? draw(2, [...widths.keys()]) : undefined
  const nodes: Node[] = []
  let I = x.width
  for (let n = 0; n < layers; n++) {
    nodes.push({ cell: drawCell(kind, { I, Hi: h?.width ?? Ho, Ho }, random) })
    I = Ho
  }
  const wiring: Wiring = { x: x.feed, h: h?.feed ?? 'own', hostState: 0, residual, ...(read !== undefined && { read }), lets, readout }
  const front = drawFront(X, random, most)
  if (front !== undefined) inputs[0] = { name: 'x', width: front.in }
  return { name: 'wired', direction: 'forward', inputs, front, nodes, wiring }
}

/** A network of one to four stages. */
export function drawNetwork (random: Random, most = 24): Network {
  if (random() < 0.6) return { stages: [drawWired(random, most)] }
  if (random() < 0.5) {
    const stack = drawStack([{ name: 'x', width: size(random, most) }], pick(random, 'forward', 'backward'), 'stack', random, most)
    const front = drawFront(stack.inputs[0].width, random, most)
    return { stages: [front === undefined ? stack : { ...stack, front, inputs: [{ name: 'x', width: front.in }] }] }
  }
  const inputs: Input[] = [{ name: 'x', width: size(random, most) }]
  const one = (name: string, direction: Stage['direction'], from: readonly Input[]): Stage => drawStack(from, direction, name, random, most)
  const both = [one('l0', 'forward', inputs), one('l0_reverse', 'backward', inputs)]
  const between = both.map(({ name, nodes }) => ({ name, width: nodeWidth(nodes[nodes.length - 1]) }))
  return { stages: [...both, one('l1', 'forward', between), one('l1_reverse', 'backward', between)] }
}
