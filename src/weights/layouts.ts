import { createCell, type Cell } from '../network/cell.ts'
import { decodeFloats, FLOAT_DTYPES } from '../tensor/dtypes.ts'
import type { StoredTensor } from '../tensor/safetensors.ts'

/** Where a known module keeps the four tensors of a cell. */
interface Layout {
  readonly module: string
  readonly weightIh: string
  readonly weightHh: string
  readonly biasIh: string
  readonly biasHh: string
}

const LAYOUTS: readonly Layout[] = [
  { module: 'CustomLSTM', weightIh: 'input_linear.weight', weightHh: 'hidden_linear.weight', biasIh: 'input_linear.bias', biasHh: 'hidden_linear.bias' },
  { module: 'torch.nn.LSTM', weightIh: 'weight_ih_l0', weightHh: 'weight_hh_l0', biasIh: 'bias_ih_l0', biasHh: 'bias_hh_l0' },
  { module: 'torch.nn.LSTMCell', weightIh: 'weight_ih', weightHh: 'weight_hh', biasIh: 'bias_ih', biasHh: 'bias_hh' }
]

/** Tensors of a `torch.nn.LSTM` that is more than one plain layer: part of it would be left out in silence. */
const BEYOND_ONE_LAYER = /(?:^|\.)(?:weight|bias)_(?:ih|hh|hr)_l(?:0_reverse|[1-9]\d*(?:_reverse)?)$|(?:^|\.)weight_hr_l0$/

/** Tensors that do not make a cell; the message names the tensor, the expected and the found. */
export class LayoutError extends Error {
  override readonly name = 'LayoutError'
}

/**
 * Finds the one cell among a file's tensors, by the names of `LAYOUTS` under any prefix; missing biases are zeros. Sizes
 * are read off the tensors.
 *
 * @throws LayoutError
 */
export function findCell (tensors: ReadonlyMap<string, StoredTensor>): Cell {
  const beyond = [...tensors.keys()].find((name) => BEYOND_ONE_LAYER.test(name))
  if (beyond !== undefined) throw new LayoutError(`tensor ${beyond}: only one layer, one direction and no projection can be served`)

  const found = LAYOUTS.flatMap((layout) => [...tensors.keys()]
    .filter((name) => endsWithName(name, layout.weightIh) || endsWithName(name, layout.weightHh))
    .map((name) => ({ layout, prefix: name.slice(0, -(name.endsWith(layout.weightIh) ? layout.weightIh : layout.weightHh).length) })))
  const places = new Map(found.map((place) => [`${place.prefix}${place.layout.weightIh}`, place]))
  if (places.size === 0) {
    const known = LAYOUTS.map(({ module, weightIh, weightHh }) => `${weightIh} and ${weightHh} (${module})`).join(', ')
    throw new LayoutError(`no cell found: expected tensors named, under any prefix, ${known}; found ${listOf([...tensors.keys()])}`)
  }
  if (places.size > 1) throw new LayoutError(`more than one cell found: ${listOf([...places.keys()])}`)
  const [{ layout, prefix }] = places.values()
  return readCell(tensors, {
    module: layout.module,
    weightIh: prefix + layout.weightIh,
    weightHh: prefix + layout.weightHh,
    biasIh: prefix + layout.biasIh,
    biasHh: prefix + layout.biasHh
  })
}

/** Names for a message, however many and long they are. */
function listOf (names: readonly string[]): string {
  if (names.length === 0) return 'none'
  const some = names.slice(0, MAX_NAMES).map((name) => name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}...` : name).join(', ')
  return names.length > MAX_NAMES ? `${some} and ${names.length - MAX_NAMES} more` : some
}
const MAX_NAMES = 12
const MAX_NAME = 80

function endsWithName (name: string, suffix: string): boolean {
  return name === suffix || name.endsWith(`.${suffix}`)
}

function readCell (tensors: ReadonlyMap<string, StoredTensor>, names: Layout): Cell {
  const weightIh = readMatrix(tensors, names.weightIh)
  const weightHh = readMatrix(tensors, names.weightHh)
  const [rows, I] = weightIh.shape
  const Hi = weightHh.shape[1]
  if (rows % 4 !== 0 || rows === 0 || I === 0) {
    throw new LayoutError(`tensor ${names.weightIh}: expected shape [4 Ho, I], found [${rows}, ${I}]`)
  }
  if (weightHh.shape[0] !== rows || Hi === 0) {
    throw new LayoutError(`tensor ${names.weightHh}: expected shape [${rows}, Hi] beside ${names.weightIh}, found [${weightHh.shape.join(', ')}]`)
  }
  if (names.module !== 'CustomLSTM' && (rows === 3 * Hi || (rows === Hi && Hi !== 1))) {
    throw new LayoutError(`tensor ${names.weightHh}: [${rows}, ${Hi}] under PyTorch's names is ${rows === Hi ? 'an nn.RNN' : 'an nn.GRU'}, not an LSTM ` +
      'of four gates; if it is one whose Hi differs from its Ho, name it input_linear and hidden_linear')
  }
  const bias = (name: string): Float32Array => {
    if (!tensors.has(name)) return new Float32Array(rows)
    const { shape, data } = readFloats(tensors, name)
    if (shape.length !== 1 || shape[0] !== rows) throw new LayoutError(`tensor ${name}: expected shape [${rows}], found [${shape.join(', ')}]`)
    return data
  }
  return createCell({
    sizes: { I, Hi, Ho: rows / 4 },
    weightIh: weightIh.data,
    weightHh: weightHh.data,
    biasIh: bias(names.biasIh),
    biasHh: bias(names.biasHh)
  })
}

function readMatrix (tensors: ReadonlyMap<string, StoredTensor>, name: string): { shape: readonly number[], data: Float32Array } {
  const tensor = readFloats(tensors, name)
  if (tensor.shape.length !== 2) throw new LayoutError(`tensor ${name}: expected a matrix, found shape [${tensor.shape.join(', ')}]`)
  return tensor
}

/**
 * A floating-point tensor as float32.
 *
 * @throws LayoutError where there is none of that name, its dtype is not F32, F16, BF16 or F64, or a value is not finite.
 */
export function readFloats (tensors: ReadonlyMap<string, StoredTensor>, name: string): { shape: readonly number[], data: Float32Array } {
  const stored = tensors.get(name)
  if (stored === undefined) throw new LayoutError(`tensor ${name}: is missing; found ${[...tensors.keys()].join(', ')}`)
  const data = decodeFloats(stored.dtype, stored.bytes)
  if (data === undefined) throw new LayoutError(`tensor ${name}: expected dtype ${FLOAT_DTYPES.join(', ')}, found ${stored.dtype}`)
  const odd = data.findIndex((value) => !Number.isFinite(value))
  if (odd >= 0) throw new LayoutError(`tensor ${name}: element ${odd} is ${data[odd]} as a float32`)
  return { shape: stored.shape, data }
}

/** Every floating-point tensor as float32, whatever its values are, one at a time; others are left out. */
export function * readAllFloats (tensors: ReadonlyMap<string, StoredTensor>): Generator<readonly [name: string, tensor: { shape: readonly number[], data: Float32Array }]> {
  for (const [name, { dtype, shape, bytes }] of tensors) {
    const data = decodeFloats(dtype, bytes)
    if (data !== undefined) yield [name, { shape, data }]
  }
}
