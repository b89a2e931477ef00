import { findAddon } from '../engine/addon.ts'
import { answerBodies } from './body-thread.ts'
import { createDocumentReader, parsePlain } from './json-document.ts'
import type { JsonDocument } from './json-reader.ts'
import type { Fields } from './tensor-paths.ts'

/*
 * The thread that reads large JSON bodies. It has the same priority as the event loop: a client waits for its result, and with a
 * lower priority would wait for as long as other threads have work.
 */

/** What a body may contain. */
export type DocumentAsked = Pick<Fields, 'known' | 'tensors'>

const addon = findAddon()

answerBodies<DocumentAsked, JsonDocument>((body, fields, hold) => {
  // A reader for each body: creating one takes microseconds, and kept readers would outlive models that are no longer served.
  const read = createDocumentReader(addon, fields, (document) => parsePlain(document.rest) === undefined ? undefined : document)
  return read(body, hold)
})
