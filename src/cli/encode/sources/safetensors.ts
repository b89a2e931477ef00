import type { FileHandle } from 'node:fs/promises'
import type { SequenceRequest } from '../../../model/request.ts'
import { decodeFloats, decodeIntegers, DTYPE_BITS, FLOAT_DTYPES, INTEGER_DTYPES } from '../../../tensor/dtypes.ts'
import { parseLayout, SafetensorsError, type Place } from '../../../tensor/safetensors.ts'
import { allFinite, Tensor } from '../../../tensor/tensor.ts'
import { EncodeError } from '../encode-error.ts'
import type { BadRow, Row } from '../row.ts'
import { MAX_ROW, WINDOW_BYTES, WINDOW_ROWS, type Position, type Source, type Window } from './source.ts'

const PREFIX = 8
/** A file has a handful of tensors. */
const MAX_HEADER = 2 ** 20
/** How many row lengths are read at once. */
const SOME = 2 ** 16

/** The tensors with one state vector per row. */
const STATES = ['h_in', 'c_in', 'h_0']
const LENGTHS = 'lengths'
const OFFSETS = 'offsets'

/** Where the rows are in a file. */
interface Layout {
  readonly rows: number
  /** `x` or `ids`. */
  readonly steps: Place
  /** Numbers per step; 1 for ids. */
  readonly width: number
  /** Steps per row, if the steps are `[N][T]...`; undefined if the rows are concatenated. */
  readonly padded: number | undefined
  readonly lengths: Place | undefined
  readonly offsets: Place | undefined
  /** The other tensors: one vector or matrix per row. */
  readonly others: ReadonlyArray<{ readonly place: Place, readonly shape: readonly number[] }>
  /** Byte offset of the data. */
  readonly start: number
}

/**
 * `x` `[N][T][I]`, with `lengths` `[N]` if some rows are shorter; or the steps of all rows concatenated, `x` `[S][I]`, with
 * `lengths` `[N]` or `offsets` `[N + 1]`. `ids` has the same shapes without `[I]`. The file is read in slices.
 *
 * @throws EncodeError if the file has another layout.
 */
export async function openSafetensors (file: FileHandle, size: number): Promise<Source> {
  const layout = await readLayout(file, size)
  const { rows, steps, width, padded, lengths, offsets, others, start } = layout
  const stepBytes = width * bytesOf(steps)

  async function bytesAt (place: Place, from: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length)
    for (let at = 0; at < length;) {
      const { bytesRead } = await file.read(bytes, at, length - at, start + place.begin + from + at)
      if (bytesRead === 0) throw new EncodeError(`ends at byte ${start + place.begin + from + at}, within tensor ${place.name}; it was longer when it was opened`)
      at += bytesRead
    }
    return bytes
  }

  async function integersAt (place: Place, from: number, count: number): Promise<number[]> {
    const each = bytesOf(place)
    return decodeIntegers(place.dtype, await bytesAt(place, from * each, count * each)) ?? []
  }

  /** The lengths of some rows. */
  async function lengthsAt (row: number, count: number): Promise<number[]> {
    if (offsets !== undefined) {
      const ends = await integersAt(offsets, row, count + 1)
      return Array.from({ length: count }, (_, i) => ends[i + 1] - ends[i])
    }
    return lengths === undefined ? new Array<number>(count).fill(padded ?? 0) : await integersAt(lengths, row, count)
  }

  /** How many steps come before a row. */
  async function stepsBefore (row: number): Promise<number> {
    if (padded !== undefined) return row * padded
    if (offsets !== undefined) return (await integersAt(offsets, row, 1))[0]
    let sum = 0
    for (let at = 0; at < row; at += SOME) {
      for (const length of await lengthsAt(at, Math.min(SOME, row - at))) sum += Math.max(0, length)
    }
    return sum
  }

  async function * windows (from: Position, to: number): AsyncGenerator<Window, void> {
    const end = Math.min(to, rows)
    let at = await stepsBefore(from.row)
    for (let row = from.row; row < end;) {
      const some = await lengthsAt(row, Math.min(WINDOW_ROWS, end - row))
      let count = 0
      let taken = 0
      for (const length of some) {
        const room = padded ?? length
        const most = padded ?? steps.shape[0] - at - taken
        // In concatenated rows, a wrong length makes the positions of all later rows unknown.
        if (padded === undefined && !(length >= 0 && length <= most)) throw new EncodeError(`row ${row + count + 1}: its length is ${length}, but only ${most} steps of ${steps.name} are left`)
        if (room * stepBytes > MAX_ROW) throw new EncodeError(`row ${row + count + 1}: has ${room * stepBytes} bytes, more than the ${MAX_ROW} allowed`)
        if (count > 0 && (taken + room) * stepBytes > WINDOW_BYTES) break
        taken += room
        count++
      }
      const bytes = await bytesAt(steps, at * stepBytes, taken * stepBytes)
      const beside = await Promise.all(others.map(async ({ place, shape }) => {
        const each = shape.reduce((a, b) => a * b, bytesOf(place))
        return { name: place.name, shape, data: floatsOf(place.dtype, await bytesAt(place, row * each, count * each)) }
      }))
      yield { rows: rowsOf(layout, row, some.slice(0, count), bytes, beside), next: { row: row + count, byte: 0 } }
      at += taken
      row += count
    }
  }

  const count = async (): Promise<number> => rows
  const seek = async (row: number): Promise<Position> => ({ row: Math.min(row, rows), byte: 0 })
  return { carries: [], size, rows, count, seek, read: windows, close: async () => { await file.close() } }
}

/** A tensor other than the steps, for some rows. */
interface Beside {
  readonly name: string
  /** The shape for one row. */
  readonly shape: readonly number[]
  readonly data: Float32Array
}

function rowsOf ({ steps, width, padded }: Layout, first: number, lengths: readonly number[], bytes: Buffer, beside: readonly Beside[]): Array<Row | BadRow> {
  const ids = steps.name === 'ids' ? decodeIntegers(steps.dtype, bytes) : undefined
  const floats = ids === undefined ? floatsOf(steps.dtype, bytes) : new Float32Array(0)
  let at = 0
  return lengths.map((length, i): Row | BadRow => {
    const number = first + i
    const begin = at
    at += padded ?? length
    if (!(length >= 1 && length <= at - begin)) return { number, carried: {}, fault: `expected a length from 1 to ${padded ?? steps.shape[0]}, got ${length}` }
    const x = floats.subarray(begin * width, (begin + length) * width)
    if (!allFinite(x, 0, x.length)) {
      const odd = x.findIndex((value) => !Number.isFinite(value))
      return { number, carried: {}, fault: `/x/${Math.floor(odd / width)}/${odd % width}: ${x[odd]} is not finite as a float32` }
    }
    const { request, odd } = besideOf(beside, i, length)
    if (odd !== undefined) return { number, carried: {}, fault: `/${odd}: has a number that is not finite as a float32` }
    return { number, carried: {}, length, request: { ...(ids === undefined ? { x: new Tensor([length, width], x) } : { ids: ids.slice(begin, begin + length) }), ...request } }
  })
}

/** The states and the context of row `i`. */
function besideOf (beside: readonly Beside[], i: number, length: number): { request: SequenceRequest, odd: string | undefined } {
  const tensors = beside.map(({ name, shape, data }): [string, Tensor] => {
    const each = shape.reduce((a, b) => a * b, 1)
    // One vector per step: keep only those of the row's own steps.
    const own = name === 'vectors' && shape.length === 2 ? [Math.min(length, shape[0]), shape[1]] : shape
    return [name, new Tensor(own, data.subarray(i * each, i * each + own.reduce((a, b) => a * b, 1)))]
  })
  const odd = tensors.find(([, { data }]) => !allFinite(data, 0, data.length))?.[0]
  const context = tensors.filter(([name]) => !STATES.includes(name))
  return { request: { ...Object.fromEntries(tensors.filter(([name]) => STATES.includes(name))), ...(context.length > 0 && { context: Object.fromEntries(context) }) }, odd }
}

/** Decodes numbers whose dtype has been checked. */
function floatsOf (dtype: string, bytes: Buffer): Float32Array {
  return decodeFloats(dtype, bytes) ?? new Float32Array(0)
}

async function readLayout (file: FileHandle, size: number): Promise<Layout> {
  const prefix = await head(file, 0, PREFIX)
  if (prefix.length < PREFIX) throw new EncodeError(`is not a safetensors file: it has ${size} bytes, fewer than the ${PREFIX} of the header's length`)
  const declared = Number(prefix.readBigUInt64LE())
  if (declared > MAX_HEADER) throw new EncodeError(`is not a safetensors file of sequences: it declares a header of ${declared} bytes, more than the ${MAX_HEADER} allowed`)
  const start = PREFIX + declared
  if (start > size) throw new EncodeError(`is truncated: it declares a header of ${declared} bytes, but has only ${size - PREFIX} after its length`)
  try {
    return layoutOf(parseLayout(await head(file, PREFIX, declared), size - start), start)
  } catch (error) {
    if (error instanceof SafetensorsError) throw new EncodeError(`is not a safetensors file, or is truncated: it ${error.message}`)
    throw error
  }
}

async function head (file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at)
  return buffer.subarray(0, bytesRead)
}

function layoutOf (places: readonly Place[], start: number): Layout {
  const names = places.map(({ name }) => name)
  const place = (name: string): Place | undefined => places.find((each) => each.name === name)
  const [x, ids, lengths, offsets] = ['x', 'ids', LENGTHS, OFFSETS].map(place)
  const steps = x ?? ids
  if (steps === undefined || (x !== undefined && ids !== undefined)) throw new EncodeError(`expected a tensor x or ids, found ${names.join(', ').slice(0, 200) || 'none'}`)
  check(steps, x === undefined ? INTEGER_DTYPES : FLOAT_DTYPES, x === undefined ? [1, 2] : [2, 3])
  for (const each of [lengths, offsets]) if (each !== undefined) check(each, INTEGER_DTYPES, [1])
  const inner = x === undefined ? steps.shape : steps.shape.slice(0, -1)
  const padded = inner.length === 2 ? inner[1] : undefined
  if (padded === undefined && lengths === undefined && offsets === undefined) throw new EncodeError(`tensor ${steps.name} of shape [${steps.shape.join(', ')}] has the steps of all rows, so lengths or offsets must say how many belong to each row`)
  if (offsets !== undefined && (lengths !== undefined || padded !== undefined)) throw new EncodeError('offsets replaces lengths, for rows that lie one after another')
  const rows = padded !== undefined ? steps.shape[0] : offsets !== undefined ? Math.max(0, offsets.shape[0] - 1) : lengths?.shape[0] ?? 0
  if (lengths !== undefined && lengths.shape[0] !== rows) throw new EncodeError(`tensor lengths: expected [${rows}], one per row, found [${lengths.shape[0]}]`)
  const others = places.filter((each) => ![steps, lengths, offsets].includes(each)).map((each) => {
    if (![...STATES, 'vectors', 'support'].includes(each.name)) throw new EncodeError(`tensor ${each.name}: is not known; expected x or ids, lengths or offsets, ${STATES.join(', ')}, vectors, support`)
    check(each, FLOAT_DTYPES, STATES.includes(each.name) ? [2] : each.name === 'support' ? [3] : [2, 3])
    if (each.shape[0] !== rows) throw new EncodeError(`tensor ${each.name}: expected ${rows} rows, as many as ${steps.name} has, found [${each.shape.join(', ')}]`)
    return { place: each, shape: each.shape.slice(1) }
  })
  return { rows, steps, width: x === undefined ? 1 : steps.shape[steps.shape.length - 1], padded, lengths, offsets, others, start }
}

function check ({ name, dtype, shape }: Place, dtypes: readonly string[], ranks: readonly number[]): void {
  if (!dtypes.includes(dtype)) throw new EncodeError(`tensor ${name}: expected ${dtypes.join(', ')}, found ${dtype}`)
  if (!ranks.includes(shape.length)) throw new EncodeError(`tensor ${name}: expected ${ranks.join(' or ')} dimensions, found [${shape.slice(0, 8).join(', ')}]`)
}

function bytesOf ({ dtype }: Place): number {
  return DTYPE_BITS[dtype] / 8
}
