import { writeSafetensors, type Stored } from './safetensors.ts'
import { isFloat32, isFloats, tensorOf, toTensor } from './tensor.ts'
import { Tokens } from './tokens.ts'

export const SAFETENSORS = 'application/vnd.safetensors'
export const JSON_TYPE = 'application/json'

/** How tensors travel. */
export type Format = 'safetensors' | 'json'

export interface Encoded {
  /** Begins with `?`, or is empty. */
  readonly query: string
  readonly type: string
  readonly body: string | Uint8Array<ArrayBuffer>
}

/**
 * The body of a request: safetensors if they can represent it, otherwise JSON, for example for ragged tensors and values that are not
 * tensors.
 *
 * @param options the fields that go into the query string if the body is safetensors.
 */
export function encode (fields: object, options: readonly string[], format: Format): Encoded {
  const document = format === 'safetensors' ? toDocument(fields, options) : undefined
  return document ?? { query: '', type: JSON_TYPE, body: toJson(fields) }
}

/** The JSON text of a request; typed arrays become arrays. */
export function toJson (fields: object): string {
  return JSON.stringify(fields, (_name, value: unknown) => toPlain(value))
}

function toPlain (value: unknown): unknown {
  if (isFloat32(value)) return [...value]
  return isFloats(value) ? tensorOf(value.data, value.shape).nested() : value
}

/** @returns undefined if a field needs JSON. */
function toDocument (fields: object, options: readonly string[]): Encoded | undefined {
  const tensors: Array<readonly [name: string, tensor: Stored]> = []
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue
    if (name === 'context') {
      for (const [part, its] of Object.entries(Object(value))) {
        const stored = store(part, its, CONTEXT)
        if (stored === undefined) return undefined
        tensors.push([part, stored])
      }
      continue
    }
    const stored = store(name, value, FIELDS)
    if (stored !== undefined) tensors.push([name, stored])
    else if (options.includes(name) && isOption(value)) query.set(name, String(value))
    else return undefined
  }
  if (tensors.length === 0) return undefined
  const text = String(query)
  return { query: text === '' ? '' : `?${text}`, type: SAFETENSORS, body: writeSafetensors(tensors) }
}

type Store = (value: unknown) => Stored | undefined

const FIELDS: ReadonlyMap<string, Store> = new Map<string, Store>([
  ['x', storeFloats], ['h_in', storeFloats], ['c_in', storeFloats], ['h_0', storeFloats], ['ids', storeIntegers], ['lengths', storeIntegers], ['state', storeTokens]
])
/** A module's context can have other fields with any content, which need JSON. */
const CONTEXT: ReadonlyMap<string, Store> = new Map<string, Store>([['support', storeFloats], ['vectors', storeFloats], ['support_lengths', storeIntegers]])

function store (name: string, value: unknown, stores: ReadonlyMap<string, Store>): Stored | undefined {
  return stores.get(name)?.(value)
}

function storeFloats (value: unknown): Stored | undefined {
  const tensor = toTensor(value)
  if (tensor === undefined) return undefined
  const { shape, data: { buffer, byteOffset, byteLength } } = tensor
  return { dtype: 'F32', shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) }
}

function storeIntegers (value: unknown): Stored | undefined {
  const rows: readonly unknown[] = Array.isArray(value) ? value : [value]
  const shape = Array.isArray(value) ? [rows.length, ...(Array.isArray(rows[0]) ? [rows[0].length] : [])] : []
  const isRow = (row: unknown): boolean => shape.length < 2 ? !Array.isArray(row) : Array.isArray(row) && row.length === shape[1]
  const integers: readonly unknown[] = rows.flat()
  // Integers beyond int32 go as JSON, so that the service can judge them.
  if (!rows.every(isRow) || !integers.every((integer) => typeof integer === 'number' && (integer | 0) === integer)) return undefined
  return { dtype: 'I32', shape, bytes: new Uint8Array(Int32Array.from(integers, Number).buffer) }
}

function storeTokens (value: unknown): Stored | undefined {
  if (typeof value === 'string') {
    const { data } = Tokens.from([value])
    return { dtype: 'U8', shape: [data.length], bytes: data }
  }
  if (!(value instanceof Tokens) && !(Array.isArray(value) && value.length > 0)) return undefined
  const { shape, data } = value instanceof Tokens ? value : Tokens.from(value.map(String))
  return { dtype: 'U8', shape, bytes: data }
}

/** Whether the query string can represent a value: it separates list items by commas. */
function isOption (value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.every((item) => !String(item).includes(','))
  return typeof value !== 'object'
}
