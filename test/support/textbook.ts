import { carrySize, type Cell } from '../../src/network/cell.ts'
import { partsOf, type Feed, type Linear, type Read } from '../../src/network/feed.ts'
import { letsOfY, type Let, type Stage } from '../../src/network/network.ts'

/*
 * Networks by their textbook equations, in double precision, one row at a time. The engines are compared with these. Nothing here
 * depends on programs, operands or buffers.
 */

type Vector = readonly number[]

/** A row's state between two steps. */
export interface RowState {
  h: Vector[]
  c: Vector[]
  /** What the first node reads next, unless that is its own h or is computed when its step begins. */
  hIn: Vector
  given: boolean
  read: Vector
  readonly lets: Map<string, Vector>
  y: Vector
}

export interface RowStep {
  readonly output: Vector
  /** The values of the late lets, and y. */
  readonly fed: ReadonlyMap<string, Vector>
  /** The gates of all nodes, as they were applied. */
  readonly gates: Vector
  readonly attention: Vector
}

/** Takes one step of one row, and updates its state. */
export function stepRow (stage: Stage, state: RowState, inputs: ReadonlyMap<string, Vector>, supports: readonly Vector[]): RowStep {
  const { nodes, wiring } = stage
  const isLate = lateness(stage)
  const fed = new Map<string, Vector>()
  if (stage.front !== undefined) inputs = new Map([...inputs, ['x', linear(stage.front, inputs.get('x') ?? [])]])
  const last = nodes.length - 1
  const part = (h: Vector, c: Vector) => (name: string): Vector => {
    if (name === 'h') return h
    if (name === 'c') return c
    if (name === 'read') return state.read
    if (name === 'y') return state.y
    const value = inputs.get(name) ?? fed.get(name) ?? state.lets.get(name)
    if (value === undefined) throw new Error(`no part ${name}`)
    return value
  }
  const before = part(state.h[last], state.c[last])
  for (const { name, feed } of wiring.lets) {
    if (isLate(feed)) fed.set(name, evaluate(feed, before))
  }
  if (typeof wiring.h === 'object' && isLate(wiring.h)) {
    if (!state.given) state.hIn = evaluate(wiring.h, before)
    state.given = false
  }

  const gates: number[] = []
  let x = nodes[0].cell.sizes.I > 0 ? evaluate(wiring.x, before) : []
  nodes.forEach(({ cell, projection }, n) => {
    const h = n === 0 && wiring.h !== 'own' ? state.hIn : state.h[n]
    const made = stepCell(cell, x, h, state.c[n].length > 0 ? state.c[n] : h)
    let out = projection === undefined ? made.h : linear(projection, made.h)
    if (wiring.residual && n === last) out = add(out, before('x'))
    state.h[n] = x = out
    if (carrySize(cell) > 0) state.c[n] = made.carry
    gates.push(...made.gates)
  })

  const after = part(state.h[last], state.c[last])
  let attention: Vector = []
  if (wiring.read !== undefined) {
    const read = attend(wiring.read, evaluate(wiring.read.query, after), supports)
    state.read = read.read
    attention = read.weights
  }
  const ofY = letsOfY(wiring.lets)
  const make = (some: readonly Let[]): void => some.filter(({ feed }) => !isLate(feed)).forEach(({ name, feed }) => state.lets.set(name, evaluate(feed, after)))
  make(wiring.lets.filter(({ name }) => !ofY.has(name)))
  if (wiring.readout !== undefined) fed.set('y', state.y = evaluate(wiring.readout, after))
  make(wiring.lets.filter(({ name }) => ofY.has(name)))
  if (typeof wiring.h === 'object' && !isLate(wiring.h)) state.hIn = evaluate(wiring.h, after)
  return { output: state.h[last], fed, gates, attention }
}

/** One step of a cell. Its carry is what it keeps in addition to h; its gates are one after the other. */
function stepCell (cell: Cell, x: Vector, h: Vector, carry: Vector): { h: Vector, carry: Vector, gates: Vector } {
  const { kind, activation, gate: gateFunction, sizes: { I, Hi, Ho }, weightIh, weightHh, biasIh, biasHh } = cell
  const ofX = (row: number): number => dot(weightIh.subarray(row * I, (row + 1) * I), x) + biasIh[row]
  const ofH = (row: number): number => dot(weightHh.subarray(row * Hi, (row + 1) * Hi), h) + biasHh[row]
  const f = ACTIVATIONS[activation]
  const open = gateFunction === 'sigmoid' ? sigmoid : (v: number) => Math.min(1, Math.max(0, gateFunction.slope * v + 0.5))
  const units = zeros(Ho).map((_, unit) => unit)
  if (kind === 'rnn') {
    const out = units.map((unit) => f(ofX(unit) + ofH(unit)))
    return { h: out, carry: [], gates: [] }
  }
  const gate = (g: number, unit: number): number => ofX(g * Ho + unit) + ofH(g * Ho + unit)
  if (kind === 'gru') {
    const r = units.map((unit) => open(gate(0, unit)))
    const z = units.map((unit) => open(gate(1, unit)))
    const n = units.map((unit) => f(ofX(2 * Ho + unit) + r[unit] * ofH(2 * Ho + unit)))
    const out = units.map((unit) => (1 - z[unit]) * n[unit] + z[unit] * carry[unit])
    return { h: out, carry: out, gates: [...r, ...z, ...n] }
  }
  const [i, forget, g, o] = [0, 1, 2, 3].map((k) => units.map((unit) => k === 2 ? f(gate(k, unit)) : open(gate(k, unit))))
  const c = units.map((unit) => forget[unit] * carry[unit] + i[unit] * g[unit])
  return { h: units.map((unit) => o[unit] * f(c[unit])), carry: c, gates: [...i, ...forget, ...g, ...o] }
}

function evaluate (feed: Feed, part: (name: string) => Vector): Vector {
  switch (feed.kind) {
    case 'part': return part(feed.name)
    case 'concat': return feed.of.flatMap((one) => evaluate(one, part))
    case 'linear': return linear(feed.linear, evaluate(feed.of, part))
    case 'sum': return feed.of.map((one) => evaluate(one, part)).reduce(add)
    case 'product': return feed.of.map((one) => evaluate(one, part)).reduce((a, b) => a.map((v, i) => v * b[i]))
  }
}

function attend (read: Read, query: Vector, supports: readonly Vector[]): { weights: Vector, read: Vector } {
  const { score, scale, key, value, v } = read
  const keys = key === undefined ? supports : supports.map((s) => linear(key, s))
  const values = value === 'key' ? keys : value === undefined ? supports : supports.map((s) => linear(value, s))
  const length = (a: Vector): number => Math.max(Math.sqrt(dot(a, a)), 1e-8)
  const scores = keys.map((k) => scale * (score === 'dot'
    ? dot(query, k)
    : score === 'cosine'
      ? dot(query, k) / length(query) / length(k)
      : dot(v ?? [], add(query, k).map(ACTIVATIONS[read.activation ?? 'tanh']))))
  const weights = softmax(scores)
  const width = value === 'key' || value === undefined ? (value === 'key' ? key?.out : undefined) ?? read.support : value.out
  return { weights, read: zeros(width).map((_, j) => values.reduce((sum, one, i) => sum + weights[i] * one[j], 0)) }
}

function linear ({ out, in: width, weight, bias, activation }: Linear, vector: Vector): Vector {
  const sums = zeros(out).map((_, row) => dot(weight.subarray(row * width, (row + 1) * width), vector) + bias[row])
  if (activation === 'softmax') return softmax(sums)
  return activation === 'log_softmax' ? logSoftmax(sums) : sums.map(ACTIVATIONS[activation])
}

function softmax (values: Vector): Vector {
  const largest = Math.max(...values)
  const powers = values.map((v) => Math.exp(v - largest))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((p) => p / sum)
}

function logSoftmax (values: Vector): Vector {
  const largest = Math.max(...values)
  const log = Math.log(values.reduce((sum, v) => sum + Math.exp(v - largest), 0))
  return values.map((v) => v - largest - log)
}

function lateness ({ inputs, wiring }: Stage): (feed: Feed) => boolean {
  const late = new Set(inputs.map(({ name }) => name))
  const isLate = (feed: Feed): boolean => [...partsOf(feed)].some((name) => late.has(name))
  for (const { name, feed } of wiring.lets) {
    if (isLate(feed)) late.add(name)
  }
  return isLate
}

const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))
const ACTIVATIONS = { none: (v: number) => v, tanh: Math.tanh, relu: (v: number) => Math.max(v, 0), sigmoid }

function dot (a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

const add = (a: Vector, b: Vector): Vector => a.map((v, i) => v + b[i])
const zeros = (length: number): number[] => new Array<number>(length).fill(0)
