import type { Cell } from '../network/cell.ts'
import { isRowActivation, readWidth, type Linear, type Read } from '../network/feed.ts'
import { PRECISIONS, type Precision } from '../network/precision.ts'
import type { Instruction, Operand, Program } from './program.ts'

/** A program as the addon reads it: see native/binding/decode.h. */
export interface EncodedProgram {
  readonly words: Int32Array
  readonly tensors: readonly Float32Array[]
}

const KINDS = { lstm: 0, gru: 1, rnn: 2, linear: 3 } as const
const ACTIVATIONS = { none: 0, tanh: 1, relu: 2, sigmoid: 3 } as const
const SCORES = { dot: 0, cosine: 1, additive: 2 } as const
const OPERATIONS = { cell: 0, linear: 1, softmax: 2, copy: 3, sum: 4, product: 5, attend: 6, choose: 7, clear: 8, log_softmax: 9 } as const
const PLACES = { old: 0, new: 1, scratch: 2, input: 3, output: 4 } as const
const NOTHING: Operand = { space: 'old', index: 0, offset: 0, width: 0 }

/** @throws Error if the program contains something that the addon does not compute. */
export function encode (program: Program, precision: Precision = 'f32'): EncodedProgram {
  const words: number[] = []
  const tensors: Float32Array[] = []
  const layers: Array<Cell | Linear> = []

  function addCell ({ kind, activation, gate, sizes: { I, Hi, Ho }, weightIh, weightHh, biasIh, biasHh }: Cell): void {
    words.push(KINDS[kind], ACTIVATIONS[activation], I, Hi, Ho, gate === 'sigmoid' ? 0 : 1)
    tensors.push(weightIh, weightHh, biasIh, biasHh)
    if (gate !== 'sigmoid') tensors.push(Float32Array.of(gate.slope))
  }

  function addLinear (linear: Linear): void {
    // An activation of a whole row is a separate instruction, after the layer's.
    words.push(KINDS.linear, ACTIVATIONS[isRowActivation(linear.activation) ? 'none' : linear.activation], linear.in, 0, linear.out)
    tensors.push(linear.weight, linear.bias)
  }

  function addProjection (linear: Linear): void {
    if (isRowActivation(linear.activation)) throw new Error('keys and values have no softmax')
    addLinear(linear)
  }

  function addRead (read: Read): void {
    const { score, scale, support, key, value, v } = read
    words.push(SCORES[score], ACTIVATIONS[score === 'additive' ? read.activation ?? 'tanh' : 'none'])
    words.push(key?.out ?? support, readWidth(read), support)
    tensors.push(Float32Array.of(scale))
    if (score === 'additive') {
      if (v === undefined) throw new Error('an additive score needs v')
      tensors.push(v)
    }
    words.push(key === undefined ? 0 : 1)
    if (key !== undefined) addProjection(key)
    words.push(value === undefined ? 0 : value === 'key' ? 1 : 2)
    if (value !== undefined && value !== 'key') addProjection(value)
  }

  function addInstruction (instruction: Instruction): void {
    const layer = layerOf(instruction)
    words.push(OPERATIONS[instruction.op], layer === undefined ? 0 : layers.indexOf(layer))
    const [reads, writes] = operandsOf(instruction)
    for (const i of [0, 1, 2]) addOperand(reads[i] ?? NOTHING)
    for (const i of [0, 1, 2]) addOperand(writes[i] ?? NOTHING)
  }

  function addOperand ({ space, index, offset, width }: Operand): void {
    words.push(PLACES[space], index, offset, width)
  }

  const { instructions, inputs, outputs, groups, attention } = program
  for (const instruction of instructions) {
    const layer = layerOf(instruction)
    if (layer !== undefined && !layers.includes(layer)) layers.push(layer)
  }
  words.push(PRECISIONS.indexOf(precision), program.state.width, program.scratch, program.begin, program.read, program.feed)
  words.push(inputs.length, ...inputs.map(({ width }) => width))
  words.push(outputs.length, ...outputs.flatMap(({ width, asked }) => [width, asked ? 1 : 0]))
  const begins = groups.length === 0 ? [0] : groups
  words.push(begins.length, ...begins)
  words.push(layers.length)
  for (const layer of layers) 'kind' in layer ? addCell(layer) : addLinear(layer)
  words.push(attention === undefined ? 0 : 1)
  if (attention !== undefined) addRead(attention)
  words.push(instructions.length)
  instructions.forEach(addInstruction)
  return { words: Int32Array.from(words), tensors }
}

function layerOf (instruction: Instruction): Cell | Linear | undefined {
  if (instruction.op === 'cell') return instruction.node.cell
  return instruction.op === 'linear' ? instruction.linear : undefined
}

/** What an instruction reads, and what it writes. */
function operandsOf (instruction: Instruction): [reads: readonly Operand[], writes: readonly Operand[]] {
  switch (instruction.op) {
    case 'cell': return [[instruction.x, instruction.h, instruction.carry], [instruction.out, instruction.carryOut, instruction.gates]]
    case 'linear':
    case 'softmax':
    case 'log_softmax':
    case 'copy': return [[instruction.in], [instruction.out]]
    case 'sum':
    case 'product': return [[instruction.a, instruction.b], [instruction.out]]
    case 'attend': return [[instruction.query], [instruction.out]]
    case 'choose': return [[instruction.in, instruction.flag], [instruction.out]]
    case 'clear': return [[], [instruction.out]]
  }
}
