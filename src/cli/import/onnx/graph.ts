import { messageOf } from '../../../errors.ts'
import type { Dense, DenseActivation, Described, Recurrent } from '../description.ts'
import { ImportError, quote } from '../import-error.ts'
import { Refusal } from '../refusal.ts'
import { transposed } from '../tensors.ts'
import { cellOf, KINDS } from './cells.ts'
import { floatsOf } from './constants.ts'
import { bothOf, directionOf, joinDirections } from './directions.ts'
import { areKept, makeIds } from './ids.ts'
import type { Graph, Node, TensorProto } from './messages.ts'
import type { Constant, Flow, Several, Value } from './values.ts'

/**
 * The layers on the longest path from a graph's input to an output.
 *
 * @throws ImportError if a node reads a value that no earlier node writes, or a weight is broken.
 */
export function layersOfGraph ({ nodes, initializers, inputs, outputs }: Graph): readonly Described[] {
  const values = new Map<string, Value>()
  for (const name of inputs) values.set(name, { kind: 'flow', layers: [], of: 'steps' })
  for (const tensor of initializers) values.set(tensor.name, { kind: 'constant', tensor })
  for (const [i, node] of nodes.entries()) {
    const name = node.name === '' ? `${node.type} ${i}` : node.name
    const made = attempt(name, node, node.inputs.map((input) => valueOf(values, input, name)))
    node.outputs.forEach((output, k) => {
      const value = made[Math.min(k, made.length - 1)]
      if (output !== '' && value !== undefined) values.set(output, value)
    })
  }
  const ends = outputs.flatMap((output) => endsOf(values.get(output), output))
  return ends.reduce<readonly Described[]>((longest, { layers }) => layers.length > longest.length ? layers : longest, [])
}

function valueOf (values: ReadonlyMap<string, Value>, input: string, node: string): Value | undefined {
  if (input === '') return undefined
  const value = values.get(input)
  if (value === undefined) throw new ImportError(`node ${quote(node)} reads ${quote(input)}, which no earlier node computes`)
  return value
}

/** The flows of an output. One direction without the other cannot be served. */
function endsOf (value: Value | undefined, output: string): readonly Flow[] {
  return flowsOf(value).map((flow) => {
    const last = flow.layers.at(-1)
    if (flow.only === undefined || (value?.kind === 'several' && last?.kind === 'recurrent' && last.directions.length === 2)) return flow
    return { ...flow, layers: [...flow.layers, { kind: 'unservable', name: output, why: `is only the ${flow.only} direction of ${quote(last?.name)}` }] }
  })
}

function flowsOf (value: Value | undefined): readonly Flow[] {
  if (value?.kind === 'several') return value.flows
  return value?.kind === 'flow' ? [value] : []
}

/** Turns a node that cannot be served into an unservable layer, so that the nodes after it are checked too. */
function attempt (name: string, node: Node, inputs: ReadonlyArray<Value | undefined>): readonly Value[] {
  try {
    return evaluate(name, node, inputs)
  } catch (error) {
    if (!(error instanceof Refusal)) throw new ImportError(`node ${quote(name)}: ${messageOf(error)}`)
    const flows = inputs.flatMap(flowsOf)
    const longest = flows.reduce((best, flow) => flow.layers.length > best.layers.length ? flow : best, flows[0] ?? { kind: 'flow', layers: [], of: 'steps' })
    return [{ kind: 'flow', layers: [...longest.layers, { kind: 'unservable', name, why: error.message }], of: 'steps' }]
  }
}

/** Nodes that change the order or grouping of numbers, but not the numbers themselves. */
const MOVES: ReadonlySet<string> = new Set(['Identity', 'Transpose', 'Squeeze', 'Unsqueeze', 'Reshape', 'Flatten', 'Cast', 'Dropout', 'Expand', 'Slice', 'Gather', 'Concat', 'Split', 'Tile'])

const DENSE_ACTIVATIONS: Readonly<Record<string, DenseActivation>> = { Softmax: 'softmax', LogSoftmax: 'log_softmax', Sigmoid: 'sigmoid', Tanh: 'tanh', Relu: 'relu' }

/** Nodes that contain graphs: recurrences that the exporter could not express as one node. */
const WRITTEN_OUT: ReadonlySet<string> = new Set(['Loop', 'Scan', 'If'])

/** @throws Refusal if the service does not support the node. */
function evaluate (name: string, node: Node, inputs: ReadonlyArray<Value | undefined>): readonly Value[] {
  const { type, domain } = node
  const [first] = inputs
  if (domain !== '' && domain !== 'ai.onnx') throw new Refusal(`is a ${quote(type)} of ${quote(domain)}`)
  if (KINDS.has(type)) return recurrent(name, node, inputs)
  if (WRITTEN_OUT.has(type)) throw new Refusal(`is a ${type}, whose steps are a graph of their own; the supported recurrent nodes are ${[...KINDS.keys()].join(', ')}`)
  if (type === 'Constant') return [constant(node)]
  if (type === 'Gather' && first?.kind === 'constant' && isInput(inputs[1])) return [embedding(name, first, inputs[1])]
  if (inputs.some(isInput)) {
    const made = first?.kind === 'flow' && type === 'Cast' ? first : makeIds(node, inputs)
    if (made !== undefined) return [made]
  }
  const ids = inputs.find((input) => input?.kind === 'ids')
  if (ids !== undefined && type !== 'Shape') throw new Refusal(`is a ${quote(type)} that reads what a ${ids.type} computes from the input`)
  if (!inputs.some((input) => flowsOf(input).length > 0) || type === 'Shape') return [aside(node, inputs)]
  if (type === 'Concat') return [joined(node, inputs)]
  if (type === 'Transpose' && !keepsNumbers(node)) throw new Refusal('is a Transpose that moves the numbers of a step')
  if (first?.kind === 'several') return ofSeveral(node, first, inputs)
  if (type === 'MatMul' || type === 'Gemm') return [dense(name, node, inputs)]
  if (type === 'Add') return [addBias(inputs)]
  if (first?.kind !== 'flow') throw new Refusal(`is a ${quote(type)}`)
  if (Object.hasOwn(DENSE_ACTIVATIONS, type)) return [activate(node, first)]
  if (type === 'Gather' || type === 'Slice' || type === 'Split') return selected(node, first, inputs)
  if (MOVES.has(type)) return [RANKS.has(type) ? { ...first, directions: false } : first]
  throw new Refusal(`is a ${quote(type)}`)
}

/** Whether a value is the graph's input, or something computed from it. */
function isInput (value: Value | undefined): boolean {
  return value?.kind === 'ids' || value?.kind === 'flow'
}

/** Nodes after which the direction axis no longer exists. */
const RANKS: ReadonlySet<string> = new Set(['Squeeze', 'Reshape', 'Flatten', 'Transpose'])

function keepsNumbers ({ attributes }: Node): boolean {
  const perm = attributes.get('perm')?.ints
  return perm !== undefined && perm.at(-1) === perm.length - 1
}

/** The two directions of a layer joined into one flow, or several flows in parallel. */
function joined ({ attributes }: Node, inputs: ReadonlyArray<Value | undefined>): Value {
  return joinDirections(inputs, attributes.get('axis')?.int ?? 0) ??
    { kind: 'several', flows: inputs.flatMap((input) => input === undefined ? [] : sure(input)) }
}

function sure (value: Value): readonly Flow[] {
  const flows = flowsOf(value)
  if (flows.length === 0) throw new Refusal('is a Concat with constants')
  return flows
}

function constant ({ attributes }: Node): Value {
  const tensor = attributes.get('value')?.tensor
  const number = attributes.get('value_int')?.int ?? attributes.get('value_float')?.float
  const numbers = attributes.get('value_ints')?.ints ?? attributes.get('value_floats')?.floats
  if (tensor !== undefined) return { kind: 'constant', tensor }
  if (number !== undefined) return { kind: 'constant', tensor: small([], [number]) }
  return numbers === undefined ? { kind: 'side', zero: false } : { kind: 'constant', tensor: small([numbers.length], numbers) }
}

function small (dims: number[], numbers: number[]): TensorProto {
  return { name: 'constant', type: 1, dims, numbers, external: new Map() }
}

/** Evaluates a node that reads only constants and shapes: a transposed weight, or an initial state. */
function aside (node: Node, inputs: ReadonlyArray<Value | undefined>): Value {
  const [first] = inputs
  if (node.type === 'Identity' && first?.kind === 'constant') return first
  if (node.type === 'Transpose' && first?.kind === 'constant') {
    const perm = node.attributes.get('perm')?.ints ?? [1, 0]
    const matrix = floatsOf(first.tensor)
    if (matrix.shape.length === 2 && perm.join() === '1,0') {
      const { shape, data } = transposed(matrix)
      return { kind: 'constant', tensor: { ...small([...shape], []), name: first.tensor.name, raw: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) } }
    }
  }
  if (node.type === 'ConstantOfShape') return { kind: 'side', zero: floatsOf(node.attributes.get('value')?.tensor ?? small([1], [0])).data.every((number) => number === 0) }
  return { kind: 'side', zero: MOVES.has(node.type) && (node.type === 'Concat' ? inputs : [first]).every((input) => input !== undefined && isZero(input)) }
}

function isZero (value: Value): boolean {
  if (value.kind === 'side') return value.zero
  return value.kind === 'constant' && floatsOf(value.tensor).data.every((number) => number === 0)
}

function weightOf (value: Value | undefined, what: string): Constant {
  if (value?.kind === 'constant') return value
  throw new Refusal(`has ${what} that is not a constant`)
}

function embedding (name: string, table: Constant, ids: Value | undefined): Flow {
  const weight = floatsOf(table.tensor)
  if (weight.shape.length !== 2 || (ids?.kind !== 'flow' && ids?.kind !== 'ids')) throw new Refusal('is a Gather of constants that is not an embedding')
  if (ids.kind === 'ids') {
    if (!areKept(ids, weight.shape[0])) throw new Refusal('is an embedding that reads ids other than those of the input')
    return { kind: 'flow', layers: [{ kind: 'embedding', name, weight }], of: 'steps' }
  }
  return { kind: 'flow', layers: [...ids.layers, { kind: 'embedding', name, weight }], of: ids.of }
}

/** Returns `Y`, the steps; `Y_h`, the last step; and `Y_c`. */
function recurrent (name: string, node: Node, [x, W, R, B, , initialH, initialC, peepholes]: ReadonlyArray<Value | undefined>): readonly Value[] {
  if (x?.kind !== 'flow') throw new Refusal(`is a ${node.type} whose X is not computed from the input alone`)
  if (peepholes !== undefined) throw new Refusal('has peepholes')
  for (const initial of [initialH, initialC]) {
    if (initial !== undefined && !isZero(initial) && flowsOf(initial).length === 0) throw new Refusal('has an initial state of its own that is not zero; h_in and c_in come from the request')
    if (flowsOf(initial).some(({ layers }) => layers.length > 0)) throw new Refusal('has an initial state that another layer computes')
  }
  const weights = { W: floatsOf(weightOf(W, 'a W').tensor), R: floatsOf(weightOf(R, 'an R').tensor), B: B && floatsOf(weightOf(B, 'a B').tensor) }
  const layer = cellOf(name, node, weights)
  const reverse = node.attributes.get('direction')?.text === 'reverse'
  const end = (gives: Recurrent['gives']): Flow =>
    ({ kind: 'flow', layers: [...bothOf(x).layers, { ...layer, gives }], of: gives === 'states' ? 'last' : gives, directions: true, ...(reverse && { only: 'backward' }) })
  const states: Value = layer.directions.length === 1 ? end('last') : { kind: 'several', flows: [directionOf(end('states'), 0), directionOf(end('states'), 1)] }
  return [end('steps'), states, { kind: 'side', zero: false }]
}

/**
 * Selects one of several flows by its index along their axis, or leaves them as they are: the states of two directions side by side
 * are what the service answers as the states.
 */
function ofSeveral (node: Node, several: Several, inputs: ReadonlyArray<Value | undefined>): readonly Value[] {
  const { type } = node
  if (type === 'Split') return several.flows
  if (type === 'Gather' || type === 'Slice') {
    const flow = several.flows.at(selectionOf(node, inputs)?.index ?? NaN)
    if (flow === undefined) throw new Refusal(`is a ${type} of more than one state`)
    return [type === 'Gather' ? { ...flow, directions: false } : flow]
  }
  if (MOVES.has(type)) return [several]
  if (type === 'MatMul' || type === 'Gemm') throw new Refusal(`is a ${type} over the last states of several layers or directions`)
  throw new Refusal(`is a ${quote(type)} of several states`)
}

function dense (name: string, { type, attributes }: Node, [x, matrix, bias]: ReadonlyArray<Value | undefined>): Flow {
  if (x?.kind !== 'flow') throw new Refusal(`is a ${type} that does not multiply by a constant from the right`)
  const number = (key: string, fallback: number): number => attributes.get(key)?.float ?? attributes.get(key)?.int ?? fallback
  if (number('alpha', 1) !== 1 || number('beta', 1) !== 1 || number('transA', 0) !== 0) throw new Refusal('is a Gemm with alpha, beta or transA')
  const weight = floatsOf(weightOf(matrix, 'a matrix').tensor)
  if (weight.shape.length !== 2) throw new Refusal(`is a ${type} by a tensor of shape [${weight.shape.join(', ')}]`)
  const layer: Dense = { kind: 'dense', name, weight: number('transB', 0) === 1 ? weight : transposed(weight), activation: 'none' }
  const flow: Flow = { kind: 'flow', layers: [...bothOf(x).layers, layer], of: x.of }
  return bias === undefined ? flow : addBias([flow, bias])
}

/** Adds a constant vector to a dense layer, as its bias. */
function addBias (inputs: ReadonlyArray<Value | undefined>): Flow {
  const flow = inputs.find((input) => input?.kind === 'flow')
  const vector = inputs.find((input) => input?.kind === 'constant')
  const before = flow?.layers.at(-1)
  if (flow === undefined || vector === undefined || before?.kind !== 'dense' || before.bias !== undefined || before.activation !== 'none') throw new Refusal('is an Add that is not a bias')
  const bias = floatsOf(vector.tensor)
  if (bias.shape.length !== 1 || bias.shape[0] !== before.weight.shape[0]) throw new Refusal(`is an Add of shape [${bias.shape.join(', ')}] that is not a bias`)
  return { ...flow, layers: [...flow.layers.slice(0, -1), { ...before, bias }] }
}

function activate ({ type, attributes }: Node, flow: Flow): Flow {
  const before = flow.layers.at(-1)
  if (before?.kind !== 'dense' || before.activation !== 'none') throw new Refusal(`is a ${type} that does not follow a dense layer without an activation`)
  const axis = attributes.get('axis')?.int ?? -1
  if ((type === 'Softmax' || type === 'LogSoftmax') && axis !== -1 && axis !== (flow.of === 'steps' ? 2 : 1)) throw new Refusal(`is a ${type} over axis ${axis}`)
  return { ...flow, layers: [...flow.layers.slice(0, -1), { ...before, activation: DENSE_ACTIVATIONS[type] }] }
}

/** The entry and axis that a node selects; undefined if it selects several entries or the indices are not constant. */
function selectionOf ({ type, attributes }: Node, [, starts, ends, axes, steps]: ReadonlyArray<Value | undefined>): { axis: number, index: number } | undefined {
  const numbersOf = (value: Value | undefined): readonly number[] => value?.kind === 'constant' ? [...floatsOf(value.tensor).data] : []
  const [index, ...more] = numbersOf(starts)
  if (index === undefined || more.length > 0) return undefined
  if (type === 'Gather') return { axis: attributes.get('axis')?.int ?? 0, index }
  const [end = NaN] = numbersOf(ends)
  const [axis = 0] = numbersOf(axes)
  const [step = 1] = numbersOf(steps)
  // A selection of the last entry ends at the end of the axis, for which exporters write some huge number.
  const one = index === -1 ? end > MANY : end === index + 1
  return step === 1 && one ? { axis, index } : undefined
}
/** More than any axis has. */
const MANY = 2 ** 30

/** Selects the last step of a sequence, `[:, -1]`, or one of two directions. */
function selected (node: Node, flow: Flow, inputs: ReadonlyArray<Value | undefined>): readonly Flow[] {
  const { type, attributes } = node
  const last = flow.layers.at(-1)
  const two = flow.directions === true && flow.only === undefined && last?.kind === 'recurrent' && last.directions.length === 2
  if (type === 'Split') {
    if (two && attributes.get('axis')?.int === 1) return [directionOf(flow, 0), directionOf(flow, 1)]
    throw new Refusal('is a Split of something other than two directions')
  }
  const { axis = NaN, index = NaN } = selectionOf(node, inputs) ?? {}
  const without = (found: Flow): readonly Flow[] => [type === 'Gather' ? { ...found, directions: false } : found]
  if (two && axis === 1 && (index === 0 || index === 1 || index === -1)) return without(directionOf(flow, index))
  // A single direction has one entry along the direction axis; a last state has one along its first axis.
  if (flow.directions === true && !two && axis === (flow.of === 'steps' ? 1 : 0) && (index === 0 || index === -1)) return without(flow)
  if (flow.of === 'last' && axis === 0 && (index === 0 || index === -1)) return [flow]
  // The backward direction reaches the first step last.
  if (flow.of !== 'steps' || index !== (flow.only === 'backward' ? 0 : -1) || !(axis === 0 || axis === 1) || last?.kind !== 'recurrent') throw new Refusal(`is a ${type} of steps other than the last`)
  return [{ ...flow, layers: [...flow.layers.slice(0, -1), { ...last, gives: 'last' }], of: 'last', directions: false }]
}
