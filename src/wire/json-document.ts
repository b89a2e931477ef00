import secureJson from 'secure-json-parse'
import type { Addon, AddonDocument } from '../engine/addon.ts'
import { InputError } from '../errors.ts'
import { MAX_NUMBERS } from '../tensor/tensor.ts'
import { MAX_REST, readDocument, type FoundTensor, type JsonDocument } from './json-reader.ts'
import type { Fields, Hold } from './tensor-paths.ts'

/**
 * Creates a reader of bodies, which runs in any thread. The addon reads the bodies that it can; the reader in TypeScript handles
 * everything else, including errors.
 *
 * @param finish turns a document into the result; undefined if its rest is not JSON, or has a name that is not allowed.
 * @returns the reader. It throws InputError as `readDocument` does, and if there is a name that is not allowed.
 */
export function createDocumentReader<T> (addon: Addon | undefined, fields: Fields, finish: (document: JsonDocument, hold: Hold) => T | undefined): (body: Buffer, hold: Hold) => T {
  const readNative = addon === undefined ? () => undefined : createNativeReader(addon, fields)
  return (body, hold) => {
    const document = readNative(body)
    const finished = document === undefined ? undefined : finish(document, hold)
    if (finished !== undefined) return finished
    const plain = finish(readDocument(body, fields), hold)
    if (plain === undefined) throw new InputError('malformed', { path: '', message: 'the body has a field named __proto__ or constructor, which is not allowed' })
    return plain
  }
}

function createNativeReader (addon: Addon, fields: Fields): (body: Buffer) => JsonDocument | undefined {
  const read = addon.createReader(fields.known, fields.tensors, MAX_NUMBERS, MAX_REST)
  return (body) => {
    const document = read(body)
    return document === undefined ? undefined : unpack(document, fields.tensors)
  }
}

function unpack ({ rest, values, layout }: AddonDocument, fields: readonly string[]): JsonDocument {
  const tensors: FoundTensor[] = []
  for (let i = 0, at = 0; i < layout.length;) {
    const rank = layout[i + 1]
    const numbers = layout[i + LENGTHS - 2]
    const rows = layout[i + LENGTHS - 1]
    const shape: number[] = []
    for (let axis = 0; axis < rank; axis++) shape.push(layout[i + 2 + axis])
    const lengths = rows > 0 ? layout.subarray(i + LENGTHS, i + LENGTHS + rows) : undefined
    tensors.push({ field: fields[layout[i]], shape, packed: values.subarray(at, at + numbers), lengths })
    at += numbers
    i += LENGTHS + rows
  }
  return { rest, tensors }
}
/** How many integers precede a tensor's row lengths: its field, its rank, three sizes, how many numbers, how many lengths. */
const LENGTHS = 7

/** Parses JSON; undefined if the text is not JSON, or has a name that is not allowed. */
export function parsePlain (text: string): unknown {
  try {
    return isPlain(text) ? JSON.parse(text) : secureJson.parse(text, null, { protoAction: 'error', constructorAction: 'error' })
  } catch {
    return undefined
  }
}

/** Most bodies contain nothing that could spell a forbidden name, and checking that is much faster than searching for one. */
function isPlain (text: string): boolean {
  return !text.includes('__proto__') && !text.includes('constructor') && !text.includes('\\u')
}
