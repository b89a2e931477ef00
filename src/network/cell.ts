/** An LSTM with gates `i, f, g, o`, a GRU with gates `r, z, n`, or an RNN with its single one; all as in PyTorch. */
export type CellKind = 'lstm' | 'gru' | 'rnn'

/** How many blocks of `Ho` rows the weights of a kind have. */
export const GATES: Readonly<Record<CellKind, number>> = { lstm: 4, gru: 3, rnn: 1 }

/**
 * The function that turns a gate's sum into a number from 0 to 1: the sigmoid, or a hard one, `slope * sum + 0.5` clamped to [0, 1].
 */
export type GateFunction = 'sigmoid' | { readonly slope: number }

/**
 * The sizes of a cell.
 *
 * Unlike in `torch.nn.LSTMCell`, the hidden size that the cell reads (`Hi`) may differ from the one that it writes (`Ho`).
 */
export interface CellSizes {
  /** Input (feature) size; 0 if the cell reads no x. */
  readonly I: number
  /** Input hidden size: what the cell reads. */
  readonly Hi: number
  /** Output hidden size: what the cell writes. */
  readonly Ho: number
}

/**
 * A cell. Matrices are row-major, everything is float32, `G` is `GATES[kind]`.
 *
 *     lstm  i, f, o = gate(W_ih x + b_ih + W_hh h_in + b_hh)       g = activation(same)
 *           c_out = f * c_in + i * g        h_out = o * activation(c_out)
 *     gru   r, z = gate(W_ih x + b_ih + W_hh h_in + b_hh)          n = activation(W_ih x + b_ih + r * (W_hh h_in + b_hh))
 *           h_out = (1 - z) * n + z * h     with the h that it wrote last, which is h_in if Hi = Ho
 *     rnn   h_out = activation(W_ih x + b_ih + W_hh h_in + b_hh)
 */
export interface Cell {
  readonly kind: CellKind
  readonly activation: 'tanh' | 'relu'
  /** The function of the gates, for an LSTM and a GRU. */
  readonly gate: GateFunction
  readonly sizes: CellSizes
  /** `W_ih`, `[G Ho, I]`. */
  readonly weightIh: Float32Array
  /** `W_hh`, `[G Ho, Hi]`. */
  readonly weightHh: Float32Array
  /** `b_ih`, `[G Ho]`. */
  readonly biasIh: Float32Array
  /** `b_hh`, `[G Ho]`. */
  readonly biasHh: Float32Array
}

/** What a cell is made from: by default an LSTM with sigmoid and tanh. */
export type CellParts = Omit<Cell, 'kind' | 'activation' | 'gate'> & Partial<Pick<Cell, 'kind' | 'activation' | 'gate'>>

/**
 * Makes a cell from its weights, after checking that they agree with its sizes.
 *
 * @throws RangeError if a size is not a positive integer (`I` may be 0), or a tensor has the wrong number of elements.
 */
export function createCell ({ kind = 'lstm', activation = 'tanh', gate = 'sigmoid', ...parts }: CellParts): Cell {
  const { I, Hi, Ho } = parts.sizes
  for (const [name, size] of Object.entries({ I, Hi, Ho })) {
    const least = name === 'I' ? 0 : 1
    if (!Number.isSafeInteger(size) || size < least) throw new RangeError(`${name} must be a positive integer, not ${size}`)
  }
  const rows = GATES[kind] * Ho
  const expected = { weightIh: rows * I, weightHh: rows * Hi, biasIh: rows, biasHh: rows } as const
  for (const name of ['weightIh', 'weightHh', 'biasIh', 'biasHh'] as const) {
    if (parts[name].length !== expected[name]) {
      throw new RangeError(`${name} must have ${expected[name]} elements for I = ${I}, Hi = ${Hi}, Ho = ${Ho}, not ${parts[name].length}`)
    }
  }
  return { kind, activation, gate, ...parts }
}

/** How many numbers a cell's gates have, as they are applied, one gate after the other; an RNN has none. */
export function gatesSize ({ kind, sizes: { Ho } }: Cell): number {
  return kind === 'rnn' ? 0 : GATES[kind] * Ho
}

/** How many numbers a cell keeps in addition to what it reads: `c` of an LSTM, the last `h` of a GRU whose Hi differs from its Ho. */
export function carrySize ({ kind, sizes: { Hi, Ho } }: Cell): number {
  if (kind === 'lstm') return Ho
  return kind === 'gru' && Hi !== Ho ? Ho : 0
}
