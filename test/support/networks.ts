import { createCell, GATES, type Cell, type CellKind, type CellSizes } from '../../src/network/cell.ts'
import { concat, feedWidth, part, partsOf, readWidth, type Activation, type Feed, type Linear, type Read } from '../../src/network/feed.ts'
import { PLAIN, type Network, type Node, type Stage, type Wiring } from '../../src/network/network.ts'

/** Numbers in [-scale, scale). */
export function randomFloats (length: number, random: () => number, scale = 1): Float32Array {
  return Float32Array.from({ length }, () => (random() * 2 - 1) * scale)
}

/** Weights as a trained cell's: of about 1 / sqrt(terms). */
export function randomCell (sizes: CellSizes, random: () => number, kind: CellKind = 'lstm', activation: 'tanh' | 'relu' = 'tanh'): Cell {
  const { I, Hi, Ho } = sizes
  const scale = Math.sqrt(3 / (I + Hi))
  const rows = GATES[kind] * Ho
  return createCell({
    kind,
    activation,
    sizes,
    weightIh: randomFloats(rows * I, random, scale),
    weightHh: randomFloats(rows * Hi, random, scale),
    biasIh: randomFloats(rows, random, 0.5),
    biasHh: randomFloats(rows, random, 0.5)
  })
}

export function randomLinear (inputs: number, outputs: number, random: () => number, activation: Activation = 'none'): Linear {
  return {
    in: inputs,
    out: outputs,
    weight: randomFloats(inputs * outputs, random, Math.sqrt(3 / inputs)),
    bias: randomFloats(outputs, random, 0.5),
    activation
  }
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

/** A network of one stage of a random form: any cells, feeds, and reads, of widths of up to `most`. */
export function drawNetwork (random: () => number, most = 40): Network {
  const below = (n: number): number => Math.floor(random() * n)
  const size = (): number => 1 + Math.floor(random() ** 2 * most)
  const chance = (p: number): boolean => random() < p
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]
  const activation = (): 'tanh' | 'relu' => pick(['tanh', 'relu'])

  const xWidth = size()
  const vectors = chance(0.4) ? size() : 0
  const layers = chance(0.6) ? 1 : 2 + below(2)
  const plain = chance(0.3)
  const kinds = Array.from({ length: layers }, () => pick<CellKind>(['lstm', 'lstm', 'gru', 'rnn']))
  const residual = !plain && chance(0.2)
  const projections = Array.from({ length: layers }, () => chance(0.2) ? size() : 0)
  if (residual) projections[layers - 1] = xWidth
  const hidden = Array.from({ length: layers }, size)
  const widths = hidden.map((Ho, n) => projections[n] > 0 ? projections[n] : Ho)
  const Ho = widths[layers - 1]
  const carry = kinds[layers - 1] === 'lstm' ? hidden[layers - 1] : 0

  const known = new Map([['x', xWidth], ['h', Ho], ...vectors > 0 ? [['vectors', vectors] as const] : [], ...carry > 0 ? [['c', carry] as const] : []])
  const widthOf = (feed: Feed): number => feedWidth(feed, (name) => known.get(name) ?? NaN)
  const drawFeed = (from: readonly string[], depth: number): Feed => {
    const inner = (): Feed => depth === 0 ? part(pick(from)) : drawFeed(from, depth - 1)
    const kind = depth === 0 ? 'part' : pick(['part', 'concat', 'linear', 'sum', 'product'])
    if (kind === 'part') return part(pick(from))
    if (kind === 'concat') return concat(...Array.from({ length: 1 + below(3) }, inner))
    if (kind === 'linear') {
      const of = inner()
      return { kind: 'linear', linear: randomLinear(widthOf(of), size(), random, pick<Activation>(['none', 'tanh', 'relu', 'sigmoid', 'softmax', 'log_softmax'])), of }
    }
    const first = inner()
    const projected = (): Feed => {
      const of = inner()
      return { kind: 'linear', linear: randomLinear(widthOf(of), widthOf(first), random), of }
    }
    return { kind: kind === 'sum' ? 'sum' : 'product', of: [first, ...Array.from({ length: 1 + below(2) }, projected)] }
  }

  let read: Read | undefined
  const lets: Array<{ name: string, feed: Feed }> = []
  let h: Feed | 'own' = 'own'
  let x: Feed = part('x')
  if (!plain) {
    const ofRow = ['h', ...carry > 0 ? ['c'] : []]
    if (chance(0.6)) {
      const score = pick<Read['score']>(['dot', 'cosine', 'additive'])
      const support = size()
      const key = chance(0.5) ? randomLinear(support, size(), random, pick<Activation>(['none', 'tanh'])) : undefined
      const value = pick([undefined, 'key', randomLinear(support, size(), random)] as const)
      const width = key?.out ?? support
      const of = drawFeed(ofRow, 1)
      read = {
        score,
        scale: pick([1, 0.5, 1 / Math.sqrt(width)]),
        query: widthOf(of) === width ? of : { kind: 'linear', linear: randomLinear(widthOf(of), width, random), of },
        support,
        ...key === undefined ? {} : { key },
        ...value === undefined ? {} : { value },
        ...score === 'additive' ? { v: randomFloats(width, random), activation: activation() } : {}
      }
      known.set('read', readWidth(read))
    }
    for (let n = below(3); n > 0; n--) {
      const late = chance(0.4)
      const names = [...known.keys()].filter((name) => late || (name !== 'x' && name !== 'vectors' && !name.startsWith('late')))
      const feed = drawFeed(names, 2)
      const name = `${late ? 'late' : 'let'}${n}`
      lets.push({ name, feed })
      known.set(name, widthOf(feed))
    }
    h = chance(0.3) && widths[0] > 0 ? 'own' : drawFeed([...known.keys()], 2)
    x = chance(0.3) ? concat(part('x'), drawFeed([...known.keys()], 1)) : part('x')
  }
  let readout: Feed | undefined
  if (chance(0.4)) {
    const of = drawFeed(plain ? ['h'] : [...known.keys()], 1)
    readout = { kind: 'linear', linear: randomLinear(widthOf(of), size(), random, pick<Activation>(['none', 'tanh', 'relu', 'sigmoid', 'softmax', 'log_softmax'])), of }
    const back = !plain && [...partsOf(readout)].every((name) => name !== 'x' && name !== 'vectors' && !name.startsWith('late'))
    if (back) {
      known.set('y', widthOf(readout))
      if (chance(0.5)) lets.push({ name: 'after', feed: drawFeed(['y', 'h'], 1) })
      x = concat(part('x'), part('y'))
    }
  }
  const I = widthOf(x)
  const Hi = h === 'own' ? widths[0] : widthOf(h)
  const noX = x.kind === 'part' && chance(0.1)
  const nodes = hidden.map((out, n): Node => {
    const sizes = { I: n === 0 ? noX ? 0 : I : widths[n - 1], Hi: n === 0 ? Hi : widths[n], Ho: out }
    return {
      cell: randomCell(sizes, random, kinds[n], activation()),
      ...projections[n] > 0 ? { projection: randomLinear(out, projections[n], random) } : {}
    }
  })
  const wiring: Wiring = { x, h, hostState: chance(0.1) ? size() : 0, residual, ...read === undefined ? {} : { read }, lets, readout }
  const inputs = [{ name: 'x', width: xWidth }, ...vectors > 0 ? [{ name: 'vectors', width: vectors }] : []]
  return { stages: [{ name: 'stage', direction: 'forward', inputs, nodes, wiring }] }
}
