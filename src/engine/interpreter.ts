import type { Cell } from '../network/cell.ts'
import { readWidth, type Linear, type Read, type RowActivation } from '../network/feed.ts'
import type { Network } from '../network/network.ts'
import type { Precision } from '../network/precision.ts'
import type { Batch, CallOptions, Engine, LoadedNetwork, Memory } from './engine.ts'
import { compileStage, type Instruction, type Operand, type Program } from './program.ts'

/** The arithmetic of an interpreted engine. Everything is row-major and contiguous, one row after the other. */
export interface Arithmetic {
  /** Loads a cell. It returns its gates if they are asked for and it has any. */
  cell (cell: Cell, precision: Precision): Loaded<(rows: number, x: Float32Array, h: Float32Array, carry: Float32Array, gates: boolean) => CellResult>
  /** Loads a linear layer. An activation of a whole row is not applied here. `[rows, in] -> [rows, out]` */
  linear (linear: Linear, precision: Precision): Loaded<(rows: number, input: Float32Array) => Float32Array>
  softmax (rows: number, input: Float32Array, activation: RowActivation): Float32Array
  /** Reads one set with a query: the read, and the attention weights. */
  attend (read: Read, query: Float32Array, set: SupportSet): { readonly read: Float32Array, readonly weights: Float32Array }
}

export interface Loaded<F> {
  readonly run: F
  dispose (): void
}

export interface CellResult {
  /** `[rows, Ho]` */
  readonly h: Float32Array
  /** An LSTM's `c`, a GRU's `h`, `[rows, Ho]`; not used for an RNN. */
  readonly carry: Float32Array
  /** `[rows, G Ho]`, the gates as they were applied. */
  readonly gates?: Float32Array | undefined
}

/** Keys `[count, width of q]` and values `[count, V]`. */
export interface SupportSet {
  readonly count: number
  readonly keys: Float32Array
  readonly values: Float32Array
}

/** Creates an engine that runs programs one instruction at a time, with the given arithmetic. */
export function createInterpreter (engine: Pick<Engine, 'name' | 'backend' | 'budget'>, arithmetic: Arithmetic): Engine {
  const load = (network: Network): LoadedNetwork => loadNetwork(network, arithmetic)
  return { ...engine, holds: () => 'f32', load, loadBeside: async (network) => load(network) }
}

function loadNetwork (network: Network, arithmetic: Arithmetic): LoadedNetwork {
  const programs = network.stages.map(compileStage)
  const { precision = 'f32' } = network
  const cells = new Map<Cell, ReturnType<Arithmetic['cell']>>()
  const layers = new Map<Linear, ReturnType<Arithmetic['linear']>>()
  const layer = (linear: Linear): ReturnType<Arithmetic['linear']> => {
    const loaded = layers.get(linear) ?? arithmetic.linear(linear, precision)
    layers.set(linear, loaded)
    return loaded
  }
  for (const { instructions, attention } of programs) {
    for (const instruction of instructions) {
      if (instruction.op === 'cell' && !cells.has(instruction.node.cell)) cells.set(instruction.node.cell, arithmetic.cell(instruction.node.cell, precision))
      if (instruction.op === 'linear') layer(instruction.linear)
    }
    for (const linear of [attention?.key, attention?.value]) {
      if (typeof linear === 'object') layer(linear)
    }
  }
  const loaded: Weights = { cell: (cell) => found(cells.get(cell)).run, linear: (linear) => layer(linear).run }
  return {
    programs,
    batch: (stage, maxRows) => createBatch(programs[stage], maxRows, arithmetic, loaded),
    remember: (stage, support, counts) => createMemory(found(programs[stage].attention), support, counts, loaded),
    dispose () {
      for (const { dispose } of [...cells.values(), ...layers.values()]) dispose()
      cells.clear()
      layers.clear()
    }
  }
}

interface Weights {
  cell (cell: Cell): ReturnType<Arithmetic['cell']>['run']
  linear (linear: Linear): ReturnType<Arithmetic['linear']>['run']
}

interface InterpretedMemory extends Memory {
  readonly sets: readonly SupportSet[]
}

function createMemory (read: Read, support: Float32Array, counts: readonly number[], weights: Weights): InterpretedMemory {
  const total = counts.reduce((a, b) => a + b, 0)
  const { support: D, key, value } = read
  const keys = key === undefined ? support : new Float32Array(total * key.out)
  const values = value === undefined ? support : value === 'key' ? keys : new Float32Array(total * value.out)
  const keyWidth = key?.out ?? D
  const valueWidth = readWidth(read)
  let prepared = 0
  let start = 0
  const sets = counts.map((count) => {
    const set = {
      count,
      keys: keys.subarray(start * keyWidth, (start + count) * keyWidth),
      values: values.subarray(start * valueWidth, (start + count) * valueWidth)
    }
    start += count
    return set
  })
  return {
    counts,
    sets,
    prepare (work) {
      const perVector = (key === undefined ? 0 : D * key.out) + (typeof value === 'object' ? D * value.out : 0)
      const more = perVector === 0 ? total - prepared : Math.min(total - prepared, Math.max(1, Math.floor(work / perVector)))
      const from = support.subarray(prepared * D, (prepared + more) * D)
      if (key !== undefined && more > 0) keys.set(weights.linear(key)(more, from), prepared * keyWidth)
      if (typeof value === 'object' && more > 0) values.set(weights.linear(value)(more, from), prepared * valueWidth)
      prepared += more
      return prepared === total
    },
    dispose () {}
  }
}

function createBatch (program: Program, maxRows: number, arithmetic: Arithmetic, weights: Weights): Batch {
  const { state: { width: S }, inputs, outputs, scratch: F, instructions, begin } = program
  const states: [Float32Array, Float32Array] = [new Float32Array(maxRows * S), new Float32Array(maxRows * S)]
  const scratch = new Float32Array(maxRows * F)
  const inputData = inputs.map(() => new Float32Array(0))
  const outputData = outputs.map(() => new Float32Array(0))
  const sets = new Array<SupportSet | undefined>(maxRows)
  let attention = new Float32Array(0)

  /** Runs one step, or some of its instructions. */
  function run (from: number, to: number, rows: number, t: number, old: Float32Array, next: Float32Array, options: CallOptions): void {
    const at = ({ space, index, offset }: Operand): { data: Float32Array, start: number, stride: number } => {
      switch (space) {
        case 'old': return { data: old, start: offset, stride: S }
        case 'new': return { data: next, start: offset, stride: S }
        case 'scratch': return { data: scratch, start: offset, stride: F }
        case 'input': {
          const { width } = inputs[index]
          const step = (options.repeated >> index) % 2 === 1 ? 0 : t
          return { data: inputData[index], start: step * rows * width + offset, stride: width }
        }
        case 'output': {
          const { width } = outputs[index]
          return { data: outputData[index], start: t * rows * width + offset, stride: width }
        }
      }
    }
    const take = (operand: Operand): Float32Array => {
      const { data, start, stride } = at(operand)
      const taken = new Float32Array(rows * operand.width)
      for (let i = 0; i < rows; i++) taken.set(data.subarray(start + i * stride, start + i * stride + operand.width), i * operand.width)
      return taken
    }
    const put = (operand: Operand, values: Float32Array): void => {
      const { data, start, stride } = at(operand)
      for (let i = 0; i < rows; i++) data.set(values.subarray(i * operand.width, (i + 1) * operand.width), start + i * stride)
    }
    const isWanted = (out: Operand): boolean => out.space !== 'output' || !outputs[out.index].asked || (options.asked >> out.index) % 2 === 1

    for (const instruction of instructions.slice(from, to)) {
      if (isWanted(instruction.out)) execute(instruction)
    }

    function execute (instruction: Instruction): void {
      switch (instruction.op) {
        case 'cell': {
          const { node, x, h, carry, carryOut, gates, out } = instruction
          const made = weights.cell(node.cell)(rows, take(x), take(h), take(carry.width > 0 ? carry : h), gates.width > 0 && isWanted(gates))
          if (carryOut.width > 0) put(carryOut, made.carry)
          if (made.gates !== undefined) put(gates, made.gates)
          put(out, made.h)
          return
        }
        case 'linear': put(instruction.out, weights.linear(instruction.linear)(rows, take(instruction.in))); return
        case 'softmax':
        case 'log_softmax': put(instruction.out, arithmetic.softmax(rows, take(instruction.in), instruction.op)); return
        case 'copy': put(instruction.out, take(instruction.in)); return
        case 'sum':
        case 'product': {
          const a = take(instruction.a)
          const b = take(instruction.b)
          put(instruction.out, instruction.op === 'sum' ? a.map((value, i) => value + b[i]) : a.map((value, i) => value * b[i]))
          return
        }
        case 'attend': {
          const { read, query, out } = instruction
          const queries = take(query)
          const reads = new Float32Array(rows * out.width)
          for (let i = 0; i < rows; i++) {
            const made = arithmetic.attend(read, queries.subarray(i * query.width, (i + 1) * query.width), found(sets[i]))
            reads.set(made.read, i * out.width)
            if (options.attention > 0) {
              const start = (t * rows + i) * options.attention
              attention.fill(0, start, start + options.attention)
              attention.set(made.weights, start)
            }
          }
          put(out, reads)
          return
        }
        case 'choose': {
          const flags = take(instruction.flag)
          const chosen = take(instruction.in)
          const { width } = instruction.in
          const values = take(instruction.out)
          flags.forEach((flag, i) => { if (flag !== 0) values.set(chosen.subarray(i * width, (i + 1) * width), i * width) })
          put(instruction.out, values)
          return
        }
        case 'clear': put(instruction.out, new Float32Array(rows * instruction.out.width))
      }
    }
  }

  return {
    maxRows,
    states,
    input (k, floats) {
      if (inputData[k].length < floats) inputData[k] = new Float32Array(floats)
      return inputData[k]
    },
    output (k, floats) {
      if (outputData[k].length < floats) outputData[k] = new Float32Array(floats)
      return outputData[k]
    },
    attention (floats) {
      if (attention.length < floats) attention = new Float32Array(floats)
      return attention
    },
    attach (i, memory, set) {
      if (!isInterpreted(memory)) throw new TypeError('the memory is of another engine')
      sets[i] = memory.sets[set]
    },
    advance (rows, steps, options) {
      for (let t = 0; t < steps; t++) run(0, instructions.length, rows, t, states[t % 2], states[(t + 1) % 2], options)
    },
    start (rows, from, to, options) {
      run(from, to, rows, 0, states[0], states[0], { repeated: 0, asked: 0, ...options })
    },
    peek (rows) {
      run(0, begin, rows, 0, states[0], states[1], { repeated: 0, asked: 0, attention: 0 })
    },
    dispose () {}
  }
}

function isInterpreted (memory: Memory): memory is InterpretedMemory {
  return 'sets' in memory
}

function found<T> (value: T | undefined): T {
  if (value === undefined) throw new Error('the program names what it does not have')
  return value
}
