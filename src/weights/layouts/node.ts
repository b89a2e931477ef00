import { createCell, GATES, type Cell, type CellKind, type GateFunction } from '../../network/cell.ts'
import type { Linear } from '../../network/feed.ts'
import type { Node } from '../../network/network.ts'
import type { StoredTensor } from '../../tensor/safetensors.ts'
import type { NodeNames } from './find.ts'
import { LayoutError, readFloats, wrongShape } from './floats.ts'
import { arrangeBias, arrangeKernel, type Storage } from './kernel.ts'
import { kindOfShape } from './kind.ts'
import { GATE_ORDER, KIND_NAMES, wrongOption } from './options.ts'

/** The form that a node must have. */
export interface NodeForm {
  readonly kind: CellKind
  readonly activation: Cell['activation']
  readonly gate: GateFunction
  readonly storage: Storage
  /** What is added to `b_f`. */
  readonly forgetBias: number
  /** How wide its x must be, and what makes it so; left out if x may have any width, or be missing. */
  readonly x?: { readonly width: number, readonly from: string }
  /** Whether it reads its own last output, so that Hi is the width that it writes. */
  readonly readsOwn: boolean
}

type Tensors = ReadonlyMap<string, StoredTensor>

/**
 * Reads a node from its tensors.
 *
 * @throws LayoutError if they do not agree with each other or with the form.
 * @throws InputError if the forget bias cannot be added.
 */
export function readNode (tensors: Tensors, names: NodeNames, form: NodeForm): Node {
  const { kind, activation, gate, storage } = form
  const { rows, I, Hi } = checkSizes(tensors, names, form)
  const kernel = (name: string): Float32Array => arrangeKernel(readFloats(tensors, name).data, rows, storage)
  const bias = (name: string | undefined): Float32Array => name === undefined ? new Float32Array(rows) : arrangeBias(readBias(tensors, name, rows), storage)
  const biasIh = bias(names.biasIh)
  const cell = createCell({
    kind,
    activation,
    gate,
    sizes: { I, Hi, Ho: rows / GATES[kind] },
    weightIh: names.weightIh === undefined ? new Float32Array(0) : kernel(names.weightIh),
    weightHh: kernel(names.weightHh),
    biasIh: form.forgetBias === 0 ? biasIh : addForgetBias(biasIh, form.forgetBias),
    biasHh: bias(names.biasHh)
  })
  return names.weightHr === undefined ? { cell } : { cell, projection: readProjection(tensors, names.weightHr) }
}

/** @throws LayoutError if a tensor's shape does not fit the form. */
function checkSizes (tensors: Tensors, names: NodeNames, { kind, storage: { transposed }, x, readsOwn }: NodeForm): { rows: number, I: number, Hi: number } {
  const wrong = (name: string, [rows, columns]: ReadonlyArray<number | string>, why: string, hint = ''): LayoutError =>
    wrongShape(name, transposed ? [columns, rows] : [rows, columns], why, shapeOf(tensors, name), hint)
  const { weightIh, weightHh, weightHr } = names
  if (weightHr !== undefined && kind !== 'lstm') throw new LayoutError(`tensor ${weightHr}: only an LSTM has projections, and this is ${KIND_NAMES[kind]}`)
  const isKind = ` for ${KIND_NAMES[kind]}`

  const first = weightIh ?? weightHh
  const [rows, columns] = kernelShape(tensors, first, transposed)
  if (rows % GATES[kind] !== 0 || rows === 0 || columns === 0) {
    throw wrong(first, [`${GATES[kind] === 1 ? '' : `${GATES[kind]} `}Ho`, first === weightIh ? 'I' : 'Hi'], isKind)
  }
  if (x !== undefined && columns !== x.width) throw wrong(first, [rows, x.width], `, as wide as ${x.from}`)

  const Ho = rows / GATES[kind]
  const [width, from] = weightHr === undefined ? [Ho, Ho] : matrixShape(tensors, weightHr)
  if (weightHr !== undefined && (width === 0 || from !== Ho)) throw wrongShape(weightHr, ['P', Ho], `, to match ${first}`, [width, from])

  const [hhRows, Hi] = kernelShape(tensors, weightHh, transposed)
  if (hhRows !== rows || Hi === 0 || (readsOwn && Hi !== width)) {
    const looks = kindOfShape(hhRows, Hi)
    throw wrong(weightHh, [rows, readsOwn ? width : 'Hi'], `${isKind}${first === weightHh ? '' : `, to match ${first}`}`,
      looks === undefined || looks === kind ? '' : `, which is the shape of ${KIND_NAMES[looks]}`)
  }
  return { rows, I: weightIh === undefined ? 0 : columns, Hi }
}

/** A kernel's `[rows, columns]`, however it is stored. */
export function kernelShape (tensors: Tensors, name: string, transposed: boolean): [rows: number, columns: number] {
  const [first, second] = matrixShape(tensors, name)
  return transposed ? [second, first] : [first, second]
}

function matrixShape (tensors: Tensors, name: string): [number, number] {
  const shape = shapeOf(tensors, name)
  if (shape.length !== 2) throw new LayoutError(`tensor ${name}: expected a matrix, found shape [${shape.join(', ')}]`)
  return [shape[0], shape[1]]
}

function shapeOf (tensors: Tensors, name: string): readonly number[] {
  return tensors.get(name)?.shape ?? []
}

function readBias (tensors: Tensors, name: string, rows: number): Float32Array {
  const { shape, data } = readFloats(tensors, name)
  if (shape.length !== 1 || shape[0] !== rows) throw wrongShape(name, [rows], '', shape)
  return data
}

/** Returns a copy, because others may read the file's tensor, too. */
function addForgetBias (bias: Float32Array, forgetBias: number): Float32Array {
  const size = bias.length / GATES.lstm
  const at = GATE_ORDER.lstm.indexOf('f')
  const added = bias.map((value, row) => Math.floor(row / size) === at ? value + forgetBias : value)
  if (!added.every(Number.isFinite)) throw wrongOption('forget_bias', `${forgetBias} makes a bias that is not finite as a float32`)
  return added
}

function readProjection (tensors: Tensors, name: string): Linear {
  const { shape, data } = readFloats(tensors, name)
  return { in: shape[1], out: shape[0], weight: data, bias: new Float32Array(shape[0]), activation: 'none' }
}
