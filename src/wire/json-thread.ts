import { findAddon } from '../engine/addon.ts'
import { answerBodies } from './body-thread.ts'
import { createDocumentReader, parsePlain } from './json-document.ts'
import type { JsonDocument } from './json-reader.ts'
import type { Fields } from './tensor-paths.ts'

/*
 * The thread that reads large JSON bodies. It has the priority of the event loop: a client waits for what it reads, and would wait for
 * as long as others have work if they were preferred.
 */

/** What a body may contain. */
export type DocumentAsked = Pick<Fields, 'known' | 'tensors'>

const addon = findAddon()

answerBodies<DocumentAsked, JsonDocument>((body, fields, hold) => {
  // A reader for each body: it takes microseconds to make one, and those of models that are not served any more would stay.
  const read = createDocumentReader(addon, fields, (document) => parsePlain(document.rest) === undefined ? undefined : document)
  return read(body, hold)
})
