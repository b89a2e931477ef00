/**
 * The sizes of a CustomLSTM cell.
 *
 * Unlike `torch.nn.LSTMCell`, the hidden size that the cell reads (`Hi`) need not be the one that it writes (`Ho`).
 */
export interface CellSizes {
  /** Input (feature) size. */
  readonly I: number
  /** Input hidden size: what the cell reads. */
  readonly Hi: number
  /** Output hidden size: what the cell writes; also the size of the cell state. */
  readonly Ho: number
}

/**
 * A CustomLSTM cell. Matrices are row-major, gates lie in PyTorch's order `i, f, g, o`, everything is float32.
 *
 *     i, f, o = sigmoid(W_ih x + b_ih + W_hh h_in + b_hh)    g = tanh(same)
 *     c_out = f * c_in + i * g        h_out = o * tanh(c_out)
 */
export interface Cell {
  readonly sizes: CellSizes
  /** `W_ih`, `[4Ho, I]`. */
  readonly weightIh: Float32Array
  /** `W_hh`, `[4Ho, Hi]`. */
  readonly weightHh: Float32Array
  /** `b_ih`, `[4Ho]`. */
  readonly biasIh: Float32Array
  /** `b_hh`, `[4Ho]`. */
  readonly biasHh: Float32Array
}

/**
 * Makes a cell of its weights, having checked that they agree with its sizes.
 *
 * @throws RangeError where a size is not a positive integer or a tensor has another number of elements.
 */
export function createCell (cell: Cell): Cell {
  const { I, Hi, Ho } = cell.sizes
  for (const [name, size] of Object.entries({ I, Hi, Ho })) {
    if (!Number.isSafeInteger(size) || size < 1) throw new RangeError(`${name} must be a positive integer, not ${size}`)
  }
  const expected = { weightIh: 4 * Ho * I, weightHh: 4 * Ho * Hi, biasIh: 4 * Ho, biasHh: 4 * Ho } as const
  for (const name of ['weightIh', 'weightHh', 'biasIh', 'biasHh'] as const) {
    if (cell[name].length !== expected[name]) {
      throw new RangeError(`${name} must have ${expected[name]} elements for I = ${I}, Hi = ${Hi}, Ho = ${Ho}, not ${cell[name].length}`)
    }
  }
  return cell
}

/** The number of trained parameters of a cell. */
export function countParameters (cell: Cell): number {
  return cell.weightIh.length + cell.weightHh.length + cell.biasIh.length + cell.biasHh.length
}
