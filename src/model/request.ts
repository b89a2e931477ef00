import { InputError, unprocessable } from '../errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Operation, Shape } from './network.ts'

/**
 * One step of the bare network; the client owns the feedback. `[B]` can be left out everywhere, and the answer then omits it
 * too; a state without it applies to all rows.
 */
export interface StepRequest {
  /** `[B][I]`, or `[B][1][I]`. Left out if the network reads none. */
  readonly x?: Tensor | undefined
  /** `[B]`, or `[B][1]`, instead of x if the model begins with an embedding. */
  readonly ids?: Ids | undefined
  /** `[B][Hi]`; zeros if left out. In a stack, one vector per node, concatenated. */
  readonly h_in?: Tensor | undefined
  /** `[B][Ho]`; zeros if left out. In a stack, one vector per node, concatenated. */
  readonly c_in?: Tensor | undefined
  /** `[B][Ho]`: the last output of a GRU whose Hi differs from its Ho. */
  readonly h_0?: Tensor | undefined
  /** Tokens of the rows that continue, one per row, or a single one; true or an empty array to begin. With it the server owns the feedback. */
  readonly state?: boolean | string | readonly string[]
  /** What the model's wiring needs from the request. */
  readonly context?: unknown
}

/** Many steps, with feedback from the model's wiring. */
export interface SequenceRequest extends StepRequest {
  /** `[B][T][I]`, rows ragged or not; with `steps` `[B][1][I]` or `[B][I]` */
  readonly x?: Tensor | undefined
  /** `[B][T]`, rows ragged or not; with `steps` `[B][1]` or `[B]` */
  readonly ids?: Ids | undefined
  /** How many steps each row takes; all T if left out. */
  readonly lengths?: readonly number[]
  /** Feed the same `x` this many times. */
  readonly steps?: number | undefined
  /** Which parts to answer. */
  readonly parts?: readonly string[] | undefined
  readonly return_sequences?: boolean | undefined
  /** Which fields the answer has; all if left out. If `output` is not among them, only its last step is computed. */
  readonly fields?: readonly string[] | undefined
}

/** Integers, already checked by their schema. */
export type Ids = number | readonly number[] | ReadonlyArray<readonly number[]>

/** How the rows of a request are laid out. */
export interface Outline {
  /** B */
  readonly rows: number
  /** T */
  readonly steps: number
  readonly lengths: readonly number[]
  /** Whether the answer has a batch dimension. */
  readonly batched: boolean
  /** Whether all steps of a row read the same x. */
  readonly repeated: boolean
  /** The field that the steps are in, for messages. */
  readonly field: '/x' | '/ids'
}

/** @throws InputError if `x` or `ids` does not fit the network. */
export function outlineStep (request: StepRequest, { step, sequence }: Shape): Outline {
  const given = givenSteps(request, step, sequence.embedding === undefined ? NO_EMBEDDING : READS_MORE)
  const field = fieldOf(step)
  if (given === undefined) {
    const { rows, batched } = rowsOf(request)
    return { rows, steps: 1, lengths: new Array<number>(rows).fill(1), batched, repeated: true, field }
  }
  const { shape, rank } = given
  checkWidth(given, field, step.width, 'I')
  checkOneStep(rank, shape, field)
  const rows = rank === 1 ? 1 : shape[0]
  return { rows, steps: 1, lengths: new Array<number>(rows).fill(1), batched: rank > 1, repeated: true, field }
}

/** @throws InputError if a request for one step of the wiring has more than one. */
export function checkWiredStep (request: StepRequest, { sequence }: Shape): void {
  const given = givenSteps(request, sequence)
  if (given !== undefined) checkOneStep(given.rank, given.shape, fieldOf(sequence))
}

function checkOneStep (rank: number, shape: readonly number[], field: Outline['field']): void {
  if (rank === 3 && shape[1] !== 1) throw unprocessable(field, `expected one step per row, ${field === '/x' ? '[B][1][I]' : '[B][1]'}, got ${shape[1]}; a sequence goes to /sequence`)
}

/** @throws InputError if `x` or `ids`, `steps` and `lengths` do not fit the network or each other. */
export function outlineSequence (request: SequenceRequest, { sequence, I }: Shape, maxSteps: number): Outline {
  const { steps, lengths } = request
  const given = givenSteps(request, sequence)
  const field = fieldOf(sequence)
  if (given === undefined) {
    if (steps === undefined) throw new InputError('malformed', { path: '/steps', message: 'is required: the network reads no x, so only steps says how many steps to take' })
    const { rows, batched } = rowsOf(request)
    checkSteps(rows, steps, maxSteps, '/steps')
    return { rows, steps, lengths: rowLengths(undefined, lengths, rows, steps, field), batched, repeated: true, field }
  }
  const { shape, rank } = given
  const [name, one, width] = field === '/x' ? ['x', 'a single vector', '[I]'] : ['ids', 'a single id', '']
  if (steps !== undefined && rank === 3 && shape[1] !== 1) throw unprocessable('/steps', `feeds the same ${name} to every step, so ${name} must be [B][1]${width} or [B]${width}, got ${shape[1]} steps`)
  if (steps === undefined && rank === 1) throw unprocessable(field, `expected [B][T]${width} or [T]${width}, got ${one}; to feed it more than once, say how often in steps`)
  checkWidth(given, field, sequence.width, sequence.width === I ? 'I' : 'what the wiring leaves of I')
  const batched = steps === undefined ? rank === 3 : rank > 1
  const rows = batched ? shape[0] : 1
  const T = steps ?? shape[rank - 2]
  checkSteps(rows, T, maxSteps, steps === undefined ? field : '/steps')
  return { rows, steps: T, lengths: rowLengths(given, lengths, rows, T, field), batched, repeated: steps !== undefined, field }
}

/**
 * The outline for a kept row: there is one, and its answers have no batch dimension.
 *
 * @throws InputError if there are more.
 */
export function outlineOneRow (outline: Outline): Outline {
  const { rows, field } = outline
  if (rows > 1) throw unprocessable(field, `a session has one row: with steps, ${field === '/x' ? 'x is one vector, [1][I]' : 'ids is one id'}, got ${rows}`)
  return { ...outline, batched: false }
}

/** What a request sends for its steps, laid out as a tensor `[B][T][width]`; nothing is sent if the network reads none. */
type Given = Pick<Tensor, 'shape' | 'rank' | 'lengths'>

const NO_EMBEDDING = 'this model does not begin with an embedding'
const READS_MORE = 'this is a step of the bare network, whose first cell reads more than the embedding writes; "state": true takes a step of the wiring, which reads ids'

function givenSteps ({ x, ids }: StepRequest, operation: Operation, whyNoIds = NO_EMBEDDING): Given | undefined {
  const { width, embedding } = operation
  if (embedding !== undefined) {
    if (x !== undefined) throw unprocessable('/x', `this model begins with an embedding: send ids, integers from 0 to ${embedding.vocabulary - 1}`)
    if (ids === undefined) throw required('/ids')
    return givenIds(ids, width)
  }
  if (ids !== undefined) throw unprocessable('/ids', width === 0 ? READS_NO_X : `${whyNoIds}: send x, vectors of ${width} numbers`)
  if (width > 0 && x === undefined) throw required('/x')
  if (width === 0 && x !== undefined) throw unprocessable('/x', READS_NO_X)
  return x
}

/** Ids stand for vectors, so they have the shape of those vectors. */
function givenIds (ids: Ids, width: number): Given {
  const lengths = typeof ids === 'number' ? [] : ids.flatMap((row) => typeof row === 'number' ? [] : [row.length])
  const T = lengths.reduce((longest, length) => Math.max(longest, length), 0)
  const shape = typeof ids === 'number' ? [width] : lengths.length === 0 ? [ids.length, width] : [ids.length, T, width]
  return { shape, rank: shape.length, lengths: lengths.some((length) => length !== T) ? new Uint32Array(lengths) : undefined }
}

function fieldOf ({ embedding }: Operation): Outline['field'] {
  return embedding === undefined ? '/x' : '/ids'
}

function checkSteps (rows: number, steps: number, maxSteps: number, path: string): void {
  if (rows * steps > maxSteps) throw unprocessable(path, `${rows} rows of ${steps} steps are ${rows * steps} steps, more than the ${maxSteps} allowed in one request`)
}

function required (path: string): InputError {
  return new InputError('malformed', { path, message: 'is required' })
}

const READS_NO_X = 'this network reads no x: leave it out, and say how many steps to take in steps'

/** The rows of a request without x, from the fields that have a batch dimension. */
function rowsOf ({ h_in: hIn, c_in: cIn, h_0: h0, context, state }: SequenceRequest): { rows: number, batched: boolean } {
  const { support, vectors }: { support?: unknown, vectors?: unknown } = Object(context)
  const sizes = [
    ['/h_in', hIn, 2], ['/c_in', cIn, 2], ['/h_0', h0, 2], ['/context/support', support, 3], ['/context/vectors', vectors, 2]
  ].flatMap(([path, value, rank]): Array<{ path: string, rows: number }> => isTensor(value) && value.rank >= Number(rank) ? [{ path: String(path), rows: value.shape[0] }] : [])
  if (Array.isArray(state) && state.length > 0) sizes.push({ path: '/state', rows: state.length })
  const [first, ...others] = sizes
  if (first === undefined) return { rows: 1, batched: false }
  const odd = others.find(({ rows }) => rows !== first.rows)
  if (odd !== undefined) throw unprocessable(odd.path, `has ${odd.rows} rows, but ${first.path} has ${first.rows}`)
  return { rows: first.rows, batched: true }
}

function isTensor (value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && 'rank' in value && 'shape' in value
}

function checkWidth ({ shape, rank }: Given, path: string, width: number, size: string): void {
  if (shape[rank - 1] !== width) throw unprocessable(path, `expected vectors of ${width} numbers (${size}), got ${shape[rank - 1]}`)
}

function rowLengths (given: Given | undefined, lengths: readonly number[] | undefined, rows: number, T: number, field: Outline['field']): readonly number[] {
  if (lengths === undefined) return given?.lengths === undefined ? new Array<number>(rows).fill(T) : Array.from(given.lengths)
  if (given?.lengths !== undefined) throw unprocessable('/lengths', `cannot be given if the rows of ${field.slice(1)} are ragged: they have their lengths already`)
  if (lengths.length !== rows) throw unprocessable('/lengths', `expected ${rows} lengths, one per row, got ${lengths.length}`)
  const odd = lengths.findIndex((length) => length < 1 || length > T)
  if (odd >= 0) throw unprocessable(`/lengths/${odd}`, `expected 1 to ${T} (T), got ${lengths[odd]}`)
  return lengths
}

/** A state from a request. Row `b` starts at `b * stride`; a stride of 0 means one vector for all rows. */
export interface GivenState {
  readonly data: Float32Array
  readonly stride: number
}

/**
 * Reads a state that a request gave for its rows, `[B][width]` or one vector `[width]` for all.
 *
 * @param made how the width is made up, for the message.
 * @throws InputError if it does not fit.
 */
export function givenState (given: Tensor, field: 'h_in' | 'c_in' | 'h_0', rows: number, width: number, made: string): GivenState {
  const { shape, rank, data } = given
  checkWidth(given, `/${field}`, width, made)
  if (rank === 2 && shape[0] !== rows) throw unprocessable(`/${field}`, `expected ${rows} rows, as many as x has (or one vector for all), got ${shape[0]}`)
  return { data, stride: rank === 2 ? width : 0 }
}
