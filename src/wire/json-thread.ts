import { findAddon } from '../engine/addon.ts'
import { InputError, type ErrorKind, type FieldError } from '../errors.ts'
import { answerQuestions } from '../thread.ts'
import { createDocumentReader, parsePlain } from './json-document.ts'
import type { JsonDocument } from './json-reader.ts'
import type { Fields } from './tensor-paths.ts'

/*
 * The thread that reads large JSON bodies. It has the priority of the event loop: a client waits for what it reads, and those who
 * take the cores all the time would otherwise let it wait for as long as they have work.
 */

export interface LargeBody extends Pick<Fields, 'known' | 'tensors'> {
  readonly bytes: Uint8Array
}

/** What goes: the document and the body's memory, or what is wrong with it. */
export type LargeDocument = { readonly document: JsonDocument, readonly bytes: Uint8Array } | { readonly kind: ErrorKind, readonly errors: readonly FieldError[] }

const addon = findAddon()

answerQuestions<LargeBody, LargeDocument>(({ bytes, ...fields }) => {
  try {
    // A reader for each body: to make one takes microseconds, and those of models that are not served any more would stay.
    const read = createDocumentReader(addon, fields, (document) => parsePlain(document.rest) === undefined ? undefined : document)
    return { document: read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), () => {}), bytes }
  } catch (error) {
    if (error instanceof InputError) return { kind: error.kind, errors: error.errors }
    throw error
  }
})
