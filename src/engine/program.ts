import { carrySize, GATES } from '../network/cell.ts'
import { feedWidth, isRowActivation, part, partsOf, readWidth, type Feed, type Linear, type Read, type RowActivation } from '../network/feed.ts'
import { isFedBack, letsOfY, nodeWidth, TAPS, tapWidth, type Input, type Let, type Node, type Stage, type Tap } from '../network/network.ts'
import { findSlice, layOutState, type Slice, type StateLayout } from '../network/state.ts'

/**
 * Where an instruction reads or writes a vector of each row.
 *
 * `old` is the row's state before the step, `new` the state after it; `scratch` lasts for a step; `input` and `output` are
 * streams, at the step's place.
 */
export interface Operand {
  readonly space: 'old' | 'new' | 'scratch' | 'input' | 'output'
  /** Which input or output; 0 for the other spaces. */
  readonly index: number
  /** Where the vector starts in the space's vector of a row. */
  readonly offset: number
  readonly width: number
}

/** What an engine does for each row of a batch. No instruction writes where it reads, except that a softmax can work in place. */
export type Instruction =
  /**
   * `carry` and `carryOut` have width 0 if the cell has no carry of its own; a GRU then uses `h` as its last output. `gates` is
   * an output that must be asked for, and has width 0 if the cell has no gates.
   */
  | { readonly op: 'cell', readonly node: Node, readonly x: Operand, readonly h: Operand, readonly carry: Operand, readonly carryOut: Operand, readonly gates: Operand, readonly out: Operand }
  /** An activation of the whole row is not part of the layer here: it is a separate instruction that follows. */
  | { readonly op: 'linear', readonly linear: Linear, readonly in: Operand, readonly out: Operand }
  | { readonly op: RowActivation | 'copy', readonly in: Operand, readonly out: Operand }
  | { readonly op: 'sum' | 'product', readonly a: Operand, readonly b: Operand, readonly out: Operand }
  /** Reads the row's memory; its attention weights are kept if the call asks for them. */
  | { readonly op: 'attend', readonly read: Read, readonly query: Operand, readonly out: Operand }
  /** Copies `in` only in rows whose `flag`, one number, is not 0. */
  | { readonly op: 'choose', readonly flag: Operand, readonly in: Operand, readonly out: Operand }
  | { readonly op: 'clear', readonly out: Operand }

/** A stream that a program writes, once per step. */
export interface Output {
  /** `output`, a part's name, `y`, a tap, or `h{n}` of an inner node. */
  readonly name: string
  readonly width: number
  /** Whether it is written only if a call asks for it; otherwise it is always written. */
  readonly asked: boolean
  /** Whether it is made once the step is done, and feeds the next one. Otherwise it belongs to the step: it fed the step, or the step made it. */
  readonly next: boolean
}

/** A stage as a list of instructions; a step runs all of them in order. */
export interface Program {
  readonly stage: Stage
  readonly state: StateLayout
  readonly inputs: readonly Input[]
  readonly outputs: readonly Output[]
  /** Floats of scratch that a row needs. */
  readonly scratch: number
  readonly instructions: readonly Instruction[]
  /** The instructions before this one make what the first node reads. They use the old state and the inputs, but no cell. */
  readonly begin: number
  /** From this one on, the instructions make the read and the lets for the next step. */
  readonly read: number
  /** From this one on, the readout if something is fed from it; from `lets` on, the lets that are fed from it. */
  readonly y: number
  readonly lets: number
  /** From this one on, what the first node reads next. */
  readonly feed: number
  /** From this one on, the readout if nothing is fed from it; it is not part of a start. */
  readonly end: number
  /**
   * Where each node's instructions begin, if the nodes can also run one after the other, each over all steps: what one reads
   * from another is then an output. Empty if they cannot.
   */
  readonly groups: readonly number[]
  /** The read of the row's memory, if there is one. */
  readonly attention: Read | undefined
  /** Whether what the first node reads as its h is made when its own step begins, because it depends on a step's inputs. */
  readonly late: boolean
  /** Multiply-adds of a row's step without a read, and of a read for each support vector. */
  readonly work: number
  readonly readWork: number
}

/**
 * Compiles a stage.
 *
 * @throws RangeError if widths do not add up.
 */
export function compileStage (stage: Stage): Program {
  const { nodes, wiring, inputs } = stage
  const last = nodes.length - 1
  const Ho = nodeWidth(nodes[last])
  const streams = new Set(inputs.map(({ name }) => name))
  const isLate = lateness(stage)
  const late = typeof wiring.h === 'object' && isLate(wiring.h)
  const { readout } = wiring
  const fedBack = isFedBack(wiring)
  const readsStreams = [...partsOf(wiring.x)].every((name) => streams.has(name))
  const readsOutput = readout === undefined || [...partsOf(readout)].every((name) => name === 'h')
  const plain = wiring.h === 'own' && wiring.read === undefined && wiring.lets.length === 0 && !wiring.residual && readsStreams && readsOutput

  const widths = new Map<string, number>(inputs.map(({ name, width }) => [name, width]))
  if (stage.front !== undefined) {
    checkWidth('the input x', widths.get('x') ?? 0, stage.front.in, 'what its layer takes')
    widths.set('x', stage.front.out)
  }
  widths.set('h', Ho)
  widths.set('c', carrySize(nodes[last].cell))
  if (wiring.read !== undefined) widths.set('read', readWidth(wiring.read))
  const widthOf = (name: string): number => {
    const width = widths.get(name)
    if (width === undefined) throw new RangeError(`there is no part ${name}; the parts are ${[...widths.keys()].join(', ')}`)
    return width
  }
  const ofY = letsOfY(wiring.lets)
  const first = wiring.lets.filter(({ name }) => !ofY.has(name))
  const then = wiring.lets.filter(({ name }) => ofY.has(name))
  for (const { name, feed } of first) widths.set(name, feedWidth(feed, widthOf))
  if (readout !== undefined) widths.set('y', feedWidth(readout, widthOf))
  for (const { name, feed } of then) widths.set(name, feedWidth(feed, widthOf))
  if (fedBack && readout !== undefined && isLate(readout)) throw new RangeError('y is fed back, so it is made before the first step too: it cannot be made of what comes with a step')

  /** How many numbers of a tap the nodes before node `n` have. */
  const tapsBefore = (tap: Tap, n: number): number => nodes.slice(0, n).reduce((sum, node) => sum + tapWidth(tap, node), 0)

  const state = layOutState([
    ...nodes.map((node, n) => ({ name: `h${n}`, width: nodeWidth(node) })),
    ...nodes.map(({ cell }, n) => ({ name: `c${n}`, width: carrySize(cell) })),
    { name: 'h_in', width: wiring.h === 'own' ? 0 : nodes[0].cell.sizes.Hi },
    { name: 'given', width: late ? 1 : 0 },
    { name: 'read', width: wiring.read === undefined ? 0 : readWidth(wiring.read) },
    ...wiring.lets.filter(({ feed }) => !isLate(feed)).map(({ name }) => ({ name, width: widthOf(name) })),
    { name: 'y', width: fedBack ? widthOf('y') : 0 },
    { name: 'host', width: wiring.hostState }
  ])
  const outputs: Output[] = [
    { name: 'output', width: Ho, asked: false, next: false },
    ...(wiring.read === undefined ? [] : [{ name: 'read', width: readWidth(wiring.read), asked: true, next: true }]),
    ...wiring.lets.map(({ name, feed }) => ({ name, width: widthOf(name), asked: true, next: !isLate(feed) })),
    ...(readout === undefined ? [] : [{ name: 'y', width: widthOf('y'), asked: true, next: false }]),
    ...TAPS.map((name) => ({ name, width: tapsBefore(name, nodes.length), asked: true, next: false })).filter(({ width }) => width > 0),
    ...(plain ? nodes.slice(0, -1).map((node, n) => ({ name: `h${n}`, width: nodeWidth(node), asked: false, next: false })) : [])
  ]

  const nothing: Operand = { space: 'scratch', index: 0, offset: 0, width: 0 }
  const instructions: Instruction[] = []
  let scratch = 0
  let work = 0

  const slice = (space: 'old' | 'new', name: string): Operand => {
    const found: Slice = findSlice(state, name) ?? { name, offset: 0, width: 0 }
    return { space, index: 0, offset: found.offset, width: found.width }
  }
  const stream = (space: 'input' | 'output', name: string): Operand => {
    const list = space === 'input' ? inputs : outputs
    const index = list.findIndex((one) => one.name === name)
    return { space, index, offset: 0, width: list[index].width }
  }
  /** Where a node's numbers of a tap go. */
  const tapOf = (tap: Tap, node: Node, n: number): Operand => {
    const width = tapWidth(tap, node)
    return width === 0 ? nothing : { ...stream('output', tap), offset: tapsBefore(tap, n), width }
  }
  const temporary = (width: number): Operand => {
    const offset = scratch
    scratch += width
    return { space: 'scratch', index: 0, offset, width }
  }
  /** Parts that are made when a step begins. */
  const made = new Map<string, Operand>()
  /** Where a part is, for feeds that are made before the cells (from the old state) or after them (from the new one). */
  const place = (space: 'old' | 'new') => (name: string): Operand => {
    widthOf(name)
    const early = made.get(name)
    if (early !== undefined) return early
    if (streams.has(name)) return stream('input', name)
    if (name === 'h' || name === 'c') return slice(space, `${name}${last}`)
    return slice(space, name)
  }

  /** Adds the instructions that make a feed at `out`. */
  function emit (feed: Feed, out: Operand, at: (name: string) => Operand): void {
    switch (feed.kind) {
      case 'part':
        instructions.push({ op: 'copy', in: at(feed.name), out })
        return
      case 'concat': {
        let offset = out.offset
        for (const one of feed.of) {
          const width = feedWidth(one, widthOf)
          emit(one, { ...out, offset, width }, at)
          offset += width
        }
        return
      }
      case 'linear': {
        const { activation } = feed.linear
        work += feed.linear.in * feed.linear.out
        instructions.push({ op: 'linear', linear: feed.linear, in: settle(feed.of, at), out })
        if (isRowActivation(activation)) instructions.push({ op: activation, in: out, out })
        return
      }
      default:
        feed.of.map((one) => settle(one, at)).reduce((a, b, i) => {
          const to = i === feed.of.length - 1 ? out : temporary(out.width)
          instructions.push({ op: feed.kind, a, b, out: to })
          return to
        })
    }
  }

  /** Where a feed's vector is: in its place if it is a part; otherwise it is made in scratch. */
  function settle (feed: Feed, at: (name: string) => Operand): Operand {
    if (feed.kind === 'part') return at(feed.name)
    const out = temporary(feedWidth(feed, widthOf))
    emit(feed, out, at)
    return out
  }

  const before = place('old')
  const after = place('new')
  const expected = nodes[0].cell.sizes

  if (stage.front !== undefined) {
    const out = temporary(stage.front.out)
    emit({ kind: 'linear', linear: stage.front, of: part('x') }, out, before)
    made.set('x', out)
  }
  for (const { name, feed } of wiring.lets) {
    if (!isLate(feed)) continue
    const out = temporary(widthOf(name))
    emit(feed, out, before)
    made.set(name, out)
    instructions.push({ op: 'copy', in: out, out: stream('output', name) })
  }
  if (typeof wiring.h === 'object') checkWidth('h_in', feedWidth(wiring.h, widthOf), expected.Hi, 'Hi')
  if (late && typeof wiring.h === 'object') {
    emit(wiring.h, slice('new', 'h_in'), before)
    instructions.push({ op: 'choose', flag: slice('old', 'given'), in: slice('old', 'h_in'), out: slice('new', 'h_in') })
    instructions.push({ op: 'clear', out: slice('new', 'given') })
  }
  const begin = instructions.length

  const readsX = expected.I > 0
  if (readsX) checkWidth('x', feedWidth(wiring.x, widthOf), expected.I, 'I')
  let x = readsX ? settle(wiring.x, before) : nothing
  const groups: number[] = []
  nodes.forEach((node, n) => {
    const { cell, projection } = node
    if (n > 0) checkWidth(`the x of layer ${n}`, nodeWidth(nodes[n - 1]), cell.sizes.I, 'I')
    groups.push(n === 0 ? 0 : instructions.length)
    const h = n > 0 || wiring.h === 'own' ? slice('old', `h${n}`) : slice(late ? 'new' : 'old', 'h_in')
    checkWidth(`the h of layer ${n}`, h.width, cell.sizes.Hi, 'Hi')
    const written = slice('new', `h${n}`)
    const residual = wiring.residual && n === last
    const kept = residual ? temporary(written.width) : written
    const out = projection === undefined ? kept : temporary(cell.sizes.Ho)
    work += GATES[cell.kind] * cell.sizes.Ho * (cell.sizes.I + cell.sizes.Hi)
    instructions.push({ op: 'cell', node, x, h, carry: slice('old', `c${n}`), carryOut: slice('new', `c${n}`), gates: tapOf('gates', node, n), out })
    if (projection !== undefined) {
      work += projection.in * projection.out
      instructions.push({ op: 'linear', linear: projection, in: out, out: kept })
    }
    if (residual) {
      checkWidth('x, which residual adds to h', widthOf('x'), Ho, 'Ho')
      instructions.push({ op: 'sum', a: kept, b: before('x'), out: written })
    }
    const output = plain || n === last ? stream('output', n === last ? 'output' : `h${n}`) : undefined
    if (output !== undefined) instructions.push({ op: 'copy', in: written, out: output })
    for (const [tap, kept] of [['h', written], ['c', slice('new', `c${n}`)]] as const) {
      const to = tapOf(tap, node, n)
      if (to.width > 0) instructions.push({ op: 'copy', in: kept, out: to })
    }
    x = output !== undefined && n < last ? output : written
  })
  if (wiring.hostState > 0) instructions.push({ op: 'copy', in: slice('old', 'host'), out: slice('new', 'host') })

  const read = instructions.length
  const attention = wiring.read
  if (attention !== undefined) {
    const query = settle(attention.query, after)
    checkWidth('the query', query.width, attention.key?.out ?? attention.support, 'the width of a key')
    instructions.push({ op: 'attend', read: attention, query, out: slice('new', 'read') })
    instructions.push({ op: 'copy', in: slice('new', 'read'), out: stream('output', 'read') })
  }
  /** Makes a part that is kept for the next step, and answered. */
  function keep ({ name, feed }: Let): void {
    emit(feed, slice('new', name), after)
    instructions.push({ op: 'copy', in: slice('new', name), out: stream('output', name) })
  }
  first.filter(({ feed }) => !isLate(feed)).forEach(keep)
  const y = instructions.length
  if (fedBack && readout !== undefined) keep({ name: 'y', feed: readout })
  const lets = instructions.length
  then.filter(({ feed }) => !isLate(feed)).forEach(keep)
  const feed = instructions.length
  if (typeof wiring.h === 'object' && !late) emit(wiring.h, slice('new', 'h_in'), after)
  const end = instructions.length
  if (!fedBack && readout !== undefined) {
    groups.push(end)
    emit(readout, stream('output', 'y'), plain ? () => stream('output', 'output') : after)
  }

  return {
    stage,
    state,
    inputs,
    outputs,
    scratch,
    instructions,
    begin,
    read,
    y,
    lets,
    feed,
    end,
    groups: plain ? groups : [],
    attention,
    late,
    work,
    readWork: attention === undefined ? 0 : (attention.key?.out ?? attention.support) + readWidth(attention)
  }
}

/** Returns a function that checks whether a feed depends on a step's inputs, so that it can only be made when its own step begins. */
export function lateness ({ inputs, wiring }: Pick<Stage, 'inputs' | 'wiring'>): (feed: Feed) => boolean {
  const late = new Set(inputs.map(({ name }) => name))
  const isLate = (feed: Feed): boolean => [...partsOf(feed)].some((name) => late.has(name))
  for (const { name, feed } of wiring.lets) {
    if (isLate(feed)) late.add(name)
  }
  return isLate
}

function checkWidth (what: string, width: number, expected: number, size: string): void {
  if (width !== expected) throw new RangeError(`${what} has ${width} numbers, but ${size} is ${expected}`)
}
