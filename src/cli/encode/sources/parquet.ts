import type { FileHandle } from 'node:fs/promises'
import { messageOf } from '../../../errors.ts'
import type { SequenceRequest } from '../../../model/request.ts'
import { allFinite, describe, Tensor } from '../../../tensor/tensor.ts'
import { EncodeError } from '../encode-error.ts'
import type { BadRow, Carried, Row } from '../row.ts'
import { ID } from './ndjson.ts'
import { startParquet, type ParquetReader } from './parquet-process.ts'
import { WINDOW_ROWS, type Position, type Source, type Window } from './source.ts'

/** The ranks that each tensor column can have; a flat x has its steps one after the other. */
const RANKS: Readonly<Record<string, readonly number[]>> = { x: [1, 2], h_in: [1], c_in: [1], h_0: [1], vectors: [1, 2], support: [2] }
const CONTEXT = ['vectors', 'support']
const IDS = 'ids'

/** In bytes. The reader loads a whole row group at once, and stores each number as a JavaScript number. */
const MAX_GROUP = 2 ** 26

/**
 * One sequence per row: `x` is a list of lists, or one list of all its numbers, `ids` a list of integers.
 *
 * @param width how many numbers of x the model reads in a step.
 * @throws EncodeError if the file is not Parquet, lacks a column named in `keep`, or has an unknown column.
 */
export async function openParquet (file: FileHandle, size: number, width: number, keep: readonly string[]): Promise<Source> {
  const reader = await startParquet(file, size)
  try {
    return sourceOf(reader, size, width, keep, async () => {
      reader.end()
      await file.close()
    })
  } catch (error) {
    reader.end()
    throw error
  }
}

function sourceOf (reader: ParquetReader, size: number, width: number, keep: readonly string[], close: () => Promise<void>): Source {
  const { names, groups } = reader.layout
  const carries = [...new Set([ID, ...keep])].filter((name) => names.includes(name))
  const missing = keep.find((name) => !names.includes(name))
  if (missing !== undefined) throw new EncodeError(`--keep: there is no column ${missing}; the columns are ${names.join(', ').slice(0, 200)}`)
  const request = names.filter((name) => name in RANKS || name === IDS)
  const odd = names.find((name) => !request.includes(name) && !carries.includes(name))
  if (odd !== undefined) throw new EncodeError(`column ${odd}: is not known; expected ${[...Object.keys(RANKS), IDS, ID].join(', ')}; --keep copies others to the answers`)
  const rows = groups.at(-1)?.end ?? 0

  async function * windows (from: Position, to: number): AsyncGenerator<Window, void> {
    for (const { begin, end, bytes } of groups) {
      if (end <= from.row || begin >= to) continue
      if (bytes > MAX_GROUP) throw new EncodeError(`rows ${begin + 1} to ${end} are a row group of ${bytes} bytes, more than the ${MAX_GROUP} that are read at once; write smaller row groups`)
      const [first, last] = [Math.max(begin, from.row), Math.min(end, to)]
      const objects = await reader.rows({ columns: [...request, ...carries], first, last }).catch((error: unknown) => {
        throw new EncodeError(`rows ${begin + 1} to ${end} cannot be read: ${messageOf(error)}`)
      })
      for (let at = 0; at < objects.length; at += WINDOW_ROWS) {
        const some = objects.slice(at, at + WINDOW_ROWS)
        yield { rows: some.map((object, i) => rowOf(object, first + at + i, carries, width)), next: { row: first + at + some.length, byte: 0 } }
      }
    }
  }

  const count = async (): Promise<number> => rows
  const seek = async (row: number): Promise<Position> => ({ row: Math.min(row, rows), byte: 0 })
  return { carries, size, rows, count, seek, read: windows, close }
}

function rowOf (object: Readonly<Record<string, unknown>>, number: number, carries: readonly string[], width: number): Row | BadRow {
  const carried: Carried = Object.fromEntries(carries.map((name) => [name, plain(object[name])]))
  const tensors: Array<[string, Tensor]> = []
  for (const [name, ranks] of Object.entries(RANKS)) {
    const value = object[name]
    if (value === undefined || value === null) continue
    const tensor = tensorOf(value, name, ranks)
    if (typeof tensor === 'string') return { number, carried, fault: tensor }
    tensors.push([name, tensor])
  }
  const context = tensors.filter(([name]) => CONTEXT.includes(name))
  const others = Object.fromEntries(tensors.filter(([name]) => !CONTEXT.includes(name)))
  const { ids } = object
  if (ids !== undefined && ids !== null && !isIntegers(ids)) return { number, carried, fault: `/ids: expected a list of integers, got ${describe(ids)}` }
  const x = others.x === undefined ? undefined : inSteps(others.x, width)
  if (typeof x === 'string') return { number, carried, fault: x }
  const request: SequenceRequest = {
    ...others,
    ...(x && { x }),
    ...(isIntegers(ids) && { ids: ids.map(Number) }),
    ...(context.length > 0 && { context: Object.fromEntries(context) })
  }
  return { number, carried, length: x?.shape[0] ?? (isIntegers(ids) ? ids.length : 1), request }
}

/** Reshapes a flat list of numbers to `[T][I]`. */
function inSteps (x: Tensor, width: number): Tensor | string {
  if (x.rank === 2) return x
  if (width === 0 || x.packed.length % width !== 0) return `/x: expected steps of ${width} numbers one after the other, got ${x.packed.length} numbers`
  return new Tensor([x.packed.length / width, width], x.packed)
}

/** The tensor in nested lists, or a message that says what is wrong with them. */
function tensorOf (value: unknown, name: string, ranks: readonly number[]): Tensor | string {
  const lists = isList(value) && isList(value[0]) ? Array.from(value) : [value]
  const rank = isList(value) && isList(value[0]) ? 2 : 1
  if (!ranks.includes(rank)) return `/${name}: expected lists nested ${ranks.join(' or ')} deep, got ${rank}`
  const width = isList(lists[0]) ? lists[0].length : 0
  const data = new Float32Array(lists.length * width)
  for (const [i, list] of lists.entries()) {
    const path = rank === 2 ? `/${name}/${i}` : `/${name}`
    if (!isList(list)) return `${path}: expected a list of numbers, got ${describe(list)}`
    if (list.length !== width) return `${path}: has ${list.length} numbers, but the first has ${width}`
    for (let j = 0; j < width; j++) {
      const number = list[j]
      if (typeof number !== 'number') return `${path}/${j}: expected a number, got ${describe(number)}`
      data[i * width + j] = number
    }
    if (!allFinite(data, i * width, width)) return `${path}: has a number that is not finite as a float32`
  }
  if (data.length === 0) return `/${name}: is empty`
  return new Tensor(rank === 2 ? [lists.length, width] : [width], data)
}

function isList (value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || value instanceof Float32Array || value instanceof Float64Array || value instanceof Int32Array
}

function isIntegers (value: unknown): value is Array<number | bigint> {
  return Array.isArray(value) && value.every((each) => typeof each === 'bigint' || Number.isSafeInteger(each))
}

/** A value that JSON can represent. */
function plain (value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
}
