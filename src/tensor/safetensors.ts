import { inspect } from 'node:util'
import { messageOf } from '../errors.ts'
import type { Tensor } from './tensor.ts'
import { DTYPE_BITS, encodeFloats } from './dtypes.ts'
import { Known, MAX_KNOWN_BYTES } from './known.ts'

/** A tensor as stored in a safetensors file. */
export interface StoredTensor {
  readonly dtype: string
  readonly shape: readonly number[]
  /** A view into the file's bytes: little-endian, row-major. */
  readonly bytes: Uint8Array
}

/** A file that violates the format. The message says how, and names the tensor if one tensor is at fault. */
export class SafetensorsError extends Error {
  override readonly name = 'SafetensorsError'
}

const PREFIX = 8
const MAX_HEADER = 100_000_000

/**
 * Reads a safetensors file: eight bytes of header length, a JSON header, the tensors' bytes.
 *
 * Copies nothing. The rules are those of the format's specification (huggingface/safetensors, README, "Format"), and a file
 * that violates one is an error: the header's length is bounded and inside the file; the header is UTF-8, starts
 * with `{` and has no duplicate keys; every tensor's size is its shape times its dtype; the tensors' bytes lie in the
 * file, without overlap or gap.
 *
 * @param maxHeader the longest header, in bytes; by default the format's own limit.
 * @throws SafetensorsError
 */
export function parseSafetensors (file: Uint8Array, maxHeader = MAX_HEADER): Map<string, StoredTensor> {
  if (file.byteLength < PREFIX) fail(`has ${file.byteLength} bytes, fewer than the ${PREFIX} of the header's length`)
  const prefix = new DataView(file.buffer, file.byteOffset, PREFIX)
  const declared = prefix.getUint32(4, true) * 2 ** 32 + prefix.getUint32(0, true)
  if (declared > maxHeader) fail(`declares a header of ${prefix.getBigUint64(0, true)} bytes, more than the ${maxHeader} allowed`)
  const end = PREFIX + declared
  if (end > file.byteLength) fail(`declares a header of ${declared} bytes, but has only ${file.byteLength - PREFIX} after its length`)

  const tensors = new Map<string, StoredTensor>()
  for (const { name, dtype, shape, begin, end: last } of layoutOf(file, end)) {
    // Plain Uint8Array views: views of a Buffer are Buffers, which are expensive to create.
    tensors.set(name, { dtype, shape, bytes: new Uint8Array(file.buffer, file.byteOffset + end + begin, last - begin) })
  }
  return tensors
}

/** How many bytes precede the tensors of a file, given its first bytes. */
export function bytesBeforeTensors (file: Buffer): number {
  return file.length < PREFIX ? PREFIX : PREFIX + file.readUInt32LE()
}

/** A tensor's position in a file's data. */
export interface Place {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

/** Headers that were valid before. */
const known = new Known<{ readonly header: Buffer, readonly available: number, readonly layout: readonly Place[] }>()

/** @param end where the header ends. */
function layoutOf (file: Uint8Array, end: number): readonly Place[] {
  const length = end - PREFIX
  const available = file.byteLength - end
  for (const before of known.under(length, available)) {
    if (before.available === available && before.header.compare(file, PREFIX, end) === 0) return before.layout
  }
  const bytes = file.subarray(PREFIX, end)
  const layout = parseLayout(bytes, available)
  if (length <= MAX_KNOWN_BYTES) known.add(length, available, { header: Buffer.from(bytes), available, layout })
  return layout
}

/**
 * The places of the tensors that a header names.
 *
 * @param available bytes of data after the header.
 * @throws SafetensorsError
 */
export function parseLayout (bytes: Uint8Array, available: number): readonly Place[] {
  const text = decodeHeader(bytes)
  const header = parseHeader(text)
  const places: Place[] = []
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') checkMetadata(entry)
    else places.push(parseEntry(name, entry, available))
  }
  // JSON.parse keeps the last of two equal keys.
  const kept = Object.values(header).reduce((sum, entry) => sum + Object.keys(entry).length, Object.keys(header).length)
  if (countKeys(text) !== kept) fail('has a header with duplicate keys')
  checkGaps(places, available)
  return places
}

/** A tensor as it is stored in a file: F32, in the tensor's own memory. */
export function storeFloats ({ shape, data }: Tensor): StoredTensor {
  return { dtype: 'F32', shape, bytes: encodeFloats(data) }
}

/**
 * Writes tensors as a safetensors file, in the order given.
 *
 * @returns the file's parts: its header, then the tensors' own memory.
 */
export function writeSafetensors (tensors: ReadonlyArray<readonly [name: string, tensor: StoredTensor]>): Uint8Array[] {
  const parts: Uint8Array[] = [headOf(tensors)]
  for (const [, { bytes }] of tensors) parts.push(bytes)
  return parts
}

/** Heads that were written before, and what they describe. */
const written = new Known<{ readonly head: Buffer, readonly tensors: ReadonlyArray<Described> }>()

type Described = readonly [name: string, tensor: Omit<StoredTensor, 'bytes'>]

/** A file's first bytes. Do not change them: they are cached. */
function headOf (tensors: Parameters<typeof writeSafetensors>[0]): Buffer {
  let size = 0
  for (const [, { bytes }] of tensors) size += bytes.byteLength
  for (const before of written.under(tensors.length, size)) if (areAlike(before.tensors, tensors)) return before.head
  const head = writeHead(tensors)
  if (head.length <= MAX_KNOWN_BYTES) written.add(tensors.length, size, { head, tensors: tensors.map(([name, { dtype, shape }]) => [name, { dtype, shape }]) })
  return head
}

function areAlike (some: readonly Described[], others: readonly Described[]): boolean {
  if (some.length !== others.length) return false
  for (let i = 0; i < some.length; i++) {
    const [name, { dtype, shape }] = some[i]
    const [otherName, other] = others[i]
    if (name !== otherName || dtype !== other.dtype || shape.length !== other.shape.length) return false
    for (let axis = 0; axis < shape.length; axis++) if (shape[axis] !== other.shape[axis]) return false
  }
  return true
}

function writeHead (tensors: Parameters<typeof writeSafetensors>[0]): Buffer {
  let at = 0
  const entries = tensors.map(([name, { dtype, shape, bytes }]) => {
    const begin = at
    at += bytes.byteLength
    return `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${begin},${at}]}`
  })
  const header = `{${entries.join(',')}}`
  // Spaces after the header, so that the data starts at a multiple of eight bytes.
  const length = Math.ceil(Buffer.byteLength(header) / PREFIX) * PREFIX
  const head = Buffer.alloc(PREFIX + length, ' ')
  head.writeBigUInt64LE(BigInt(length))
  head.write(header, PREFIX)
  return head
}

function decodeHeader (bytes: Uint8Array): string {
  // The format forbids white space before the header, which JSON would allow.
  if (bytes[0] !== 0x7b) fail('has a header that does not start with {')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    fail('has a header that is not UTF-8')
  }
}

function parseHeader (text: string): object {
  try {
    return JSON.parse(text)
  } catch (error) {
    fail(`has a header that is not JSON: ${messageOf(error)}`)
  }
}

/** In valid JSON every colon outside a string follows a key. This is a loop because a header may be too long for a regular expression. */
function countKeys (json: string): number {
  let keys = 0
  let inString = false
  for (let i = 0; i < json.length; i++) {
    const character = json[i]
    if (character === '"') inString = !inString
    else if (inString && character === '\\') i++
    else if (!inString && character === ':') keys++
  }
  return keys
}

function checkMetadata (entry: unknown): void {
  if (!isObject(entry) || Array.isArray(entry) || Object.values(entry).some((value) => typeof value !== 'string')) {
    fail('has __metadata__ that is not an object of strings')
  }
}

function parseEntry (name: string, entry: unknown, available: number): Place {
  const where = `tensor ${JSON.stringify(name)}`
  if (!isObject(entry)) fail(`${where}: its header entry is not an object`)
  const { dtype, shape, data_offsets: offsets, ...unknown }: Record<string, unknown> = { ...entry }
  const [stranger] = Object.keys(unknown)
  if (stranger !== undefined) fail(`${where}: unknown field ${JSON.stringify(stranger)}`)
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BITS, dtype)) fail(`${where}: unknown dtype ${show(dtype)}`)
  if (!isSizes(shape)) fail(`${where}: its shape is not an array of sizes: ${show(shape)}`)
  if (!isSizes(offsets) || offsets.length !== 2) fail(`${where}: its data_offsets are not two offsets: ${show(offsets)}`)
  const [begin, end] = offsets
  if (begin > end || end > available) fail(`${where}: its data_offsets [${begin}, ${end}] are not in the file's ${available} bytes of data`)
  const bits = shape.reduce((product, size) => product * size, DTYPE_BITS[dtype])
  if (!Number.isSafeInteger(bits) || bits !== (end - begin) * 8) {
    fail(`${where}: ${dtype} of shape [${shape.join(', ')}] takes ${bits / 8} bytes, its data_offsets [${begin}, ${end}] hold ${end - begin}`)
  }
  return { name, dtype, shape, begin, end }
}

function checkGaps (places: readonly Place[], available: number): void {
  let at = 0
  for (const { name, begin, end } of [...places].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < at) fail(`tensor ${JSON.stringify(name)}: overlaps another tensor at byte ${begin} of the data`)
    if (begin > at) fail(`has a gap before tensor ${JSON.stringify(name)}: bytes ${at} to ${begin} of the data belong to no tensor`)
    at = end
  }
  if (at !== available) fail(`has ${available - at} bytes after its last tensor`)
}

function isObject (value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isSizes (value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)
}

/** A value for a message: short, at any depth of nesting. */
function show (value: unknown): string {
  return inspect(value, { depth: 0, maxArrayLength: 8, maxStringLength: 40, compact: true, breakLength: Infinity })
}

function fail (message: string): never {
  throw new SafetensorsError(message)
}
