import { InputError } from '../../errors.ts'
import { GATES, type CellKind } from '../../network/cell.ts'
import type { StoredTensor } from '../../tensor/safetensors.ts'
import { joinName, type FoundNetwork, type NodeNames } from './find.ts'
import { listOf, wrongShape } from './floats.ts'
import { kernelShape } from './node.ts'
import { KIND_NAMES, wrongOption, type CellOptions, type CellTensors } from './options.ts'

/** A network whose tensors `config.json` names. */
export interface NamedNetwork extends FoundNetwork {
  /** What its nodes' names stand for: tensors of the file, or parts of them. */
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** The names in the file. */
  readonly used: ReadonlySet<string>
}

/**
 * Builds the network from the tensors that `config.json` names: a cell, or a stack of them.
 *
 * A joint matrix is split into `W_ih` and `W_hh`, and two biases in one tensor into `b_ih` and `b_hh`. Leading axes of size 1
 * are left out.
 *
 * @throws InputError if a name is not in the file, or the named tensors do not form a cell.
 * @throws LayoutError if a joint matrix has no room for its h.
 */
export function nameNetwork (file: ReadonlyMap<string, StoredTensor>, named: NonNullable<CellOptions['tensors']>, options: CellOptions): NamedNetwork {
  const cells = Array.isArray(named) ? named : [named]
  const tensors = new Map<string, StoredTensor>()
  const used = new Set<string>()
  const nodes = cells.map((cell, layer) => {
    const path = Array.isArray(named) ? `/cell/tensors/${layer}` : '/cell/tensors'
    checkNames(cell, path)
    const take = (role: NameRole): Taken | undefined => {
      const own = cell[role]
      if (own === undefined) return undefined
      const name = joinName(options.prefix ?? '', own)
      const tensor = file.get(name)
      if (tensor === undefined) throw wrong(`${path}/${role}`, `no tensor ${name}; found ${listOf([...file.keys()])}`)
      used.add(name)
      return { name, tensor: squeeze(tensor, role.startsWith('weight') ? 2 : 1) }
    }
    /** Gives a tensor, or a part of one, a name that no other tensor of the file has. */
    const put = ({ name, tensor }: Taken, part?: string): string => {
      let own = name
      if (part !== undefined) do own += part; while (file.has(own))
      tensors.set(own, tensor)
      return own
    }

    const kernels = kernelsOf(cell, take, put, options)
    const rows = kernelShape(tensors, kernels.weightHh, options.transposed === true)[0]
    return [{ ...kernels, ...biasesOf(take, put, rows) }]
  })
  return { kind: undefined, prefix: options.prefix, nodes, tensors, used }
}

type NameRole = 'weight' | 'weight_ih' | 'weight_hh' | 'bias' | 'bias_ih' | 'bias_hh'

interface Taken {
  readonly name: string
  readonly tensor: StoredTensor
}

type Take = (role: NameRole) => Taken | undefined
type Put = (taken: Taken, part?: string) => string

/** What is wrong with the names of a cell. */
function wrong (path: string, message: string): InputError {
  return new InputError('malformed', { path, message })
}

function checkNames (cell: CellTensors, path: string): void {
  const joint = cell.weight !== undefined
  if (!joint && cell.weight_hh === undefined) throw wrong(path, 'expected weight_hh, or one joint weight')
  for (const role of ['weight_ih', 'weight_hh'] as const) {
    if (joint && cell[role] !== undefined) throw wrong(`${path}/${role}`, 'cannot be combined with a joint weight, which contains both')
  }
  for (const role of ['of', 'Hi'] as const) {
    if (!joint && cell[role] !== undefined) throw wrong(`${path}/${role}`, 'is for a joint weight')
  }
  for (const role of ['bias_ih', 'bias_hh'] as const) {
    if (cell.bias !== undefined && cell[role] !== undefined) throw wrong(`${path}/${role}`, 'cannot be combined with bias, which stands for both')
  }
  if (cell.of !== undefined && cell.of[0] === cell.of[1]) throw wrong(`${path}/of`, 'expected x and h, each once')
}

function kernelsOf (cell: CellTensors, take: Take, put: Put, { kind, transposed = false }: CellOptions): Pick<NodeNames, 'weightIh' | 'weightHh'> {
  const joint = take('weight')
  if (joint === undefined) {
    const [x, h] = [take('weight_ih'), take('weight_hh')]
    if (h === undefined) throw new Error('the names are checked')
    return { ...(x !== undefined && { weightIh: put(x) }), weightHh: put(h) }
  }
  const { name, tensor } = joint
  const [rows, columns] = kernelShape(new Map([[name, tensor]]), name, transposed)
  const Hi = cell.Hi ?? ownWidth(joint, rows, kind, transposed)
  const I = columns - Hi
  if (I < 0) throw wrongShape(name, orderOf([rows, `I + ${Hi}`], transposed), ' for x and h', tensor.shape)
  // The axis of the stored matrix along which x and h are concatenated.
  const axis = transposed ? 0 : 1
  const [x, h] = cell.of?.[0] === 'h' ? [[Hi, columns], [0, Hi]] : [[0, I], [I, columns]]
  const part = ([from, to]: number[]): Taken => ({ name, tensor: slice(tensor, axis, from, to) })
  return { ...(I > 0 && { weightIh: put(part(x), '[x]') }), weightHh: put(part(h), '[h]') }
}

/** The width of the h that a cell reads, if it is also the width that it writes. */
function ownWidth ({ name, tensor }: Taken, rows: number, kind: CellKind | undefined, transposed: boolean): number {
  if (kind === undefined) throw wrongOption('kind', 'is required, because a joint weight does not determine it')
  if (rows % GATES[kind] === 0) return rows / GATES[kind]
  throw wrongShape(name, orderOf([`${GATES[kind]} Ho`, 'I + Hi'], transposed), ` for ${KIND_NAMES[kind]}`, tensor.shape)
}

/** A kernel's shape as it is stored. */
function orderOf ([rows, columns]: ReadonlyArray<number | string>, transposed: boolean): Array<number | string> {
  return transposed ? [columns, rows] : [rows, columns]
}

/** One bias, or two: concatenated or, as in Keras, as the rows of a matrix. */
function biasesOf (take: Take, put: Put, rows: number): Pick<NodeNames, 'biasIh' | 'biasHh'> {
  const both = take('bias')
  if (both === undefined) {
    const [x, h] = [take('bias_ih'), take('bias_hh')]
    return { ...(x !== undefined && { biasIh: put(x) }), ...(h !== undefined && { biasHh: put(h) }) }
  }
  const { name, tensor } = both
  const { shape: [first, second], shape: { length: rank } } = tensor
  if (!(rank === 1 ? first === 2 * rows : rank === 2 && first === 2 && second === rows)) return { biasIh: put(both) }
  const half = (from: number): Taken => {
    const { shape: [, length], ...rest } = slice({ ...tensor, shape: [2, rows] }, 0, from, from + 1)
    return { name, tensor: { ...rest, shape: [length] } }
  }
  return { biasIh: put(half(0), '[0]'), biasHh: put(half(1), '[1]') }
}

/** A tensor without its leading axes of size 1, down to a rank. */
function squeeze ({ shape, ...rest }: StoredTensor, rank: number): StoredTensor {
  let leading = 0
  while (shape.length - leading > rank && shape[leading] === 1) leading++
  return { ...rest, shape: shape.slice(leading) }
}

/** The part of a matrix between two positions on an axis. */
function slice ({ dtype, shape: [rows, columns], bytes }: StoredTensor, axis: 0 | 1, from: number, to: number): StoredTensor {
  // Dtypes smaller than a byte are refused when they are read.
  const size = rows * columns === 0 ? 0 : Math.floor(bytes.byteLength / (rows * columns))
  if (axis === 0) return { dtype, shape: [to - from, columns], bytes: bytes.subarray(from * columns * size, to * columns * size) }
  const width = (to - from) * size
  const part = new Uint8Array(rows * width)
  for (let row = 0; row < rows; row++) {
    const start = (row * columns + from) * size
    part.set(bytes.subarray(start, start + width), row * width)
  }
  return { dtype, shape: [rows, to - from], bytes: part }
}
