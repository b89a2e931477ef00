import { createBodyThread, createTurns, type BodyRead } from './body-thread.ts'
import type { HeadAsked } from './inference/head-thread.ts'
import type { InputFields, Layout } from './inference/layout.ts'
import type { JsonDocument } from './json-reader.ts'
import type { DocumentAsked } from './json-thread.ts'
import { build } from './json.ts'
import type { Fields, Hold } from './tensor-paths.ts'

/** JSON of at least this many bytes is read in a thread. Shorter JSON is read in less than a millisecond. */
export const LARGE = 2 ** 18

/**
 * Reads large JSON off the event loop, one body after the other, so that only one is in memory twice, as text and as tensors that
 * are not counted yet. A body's memory goes to a thread, and comes back with the result.
 */
export interface LargeJson {
  /** Reads as a reader of `Json` does. @throws InputError as that does; Error if the thread ends. */
  read (body: Buffer, fields: Fields, hold: Hold): Promise<BodyRead<unknown>>
  /** Reads the first bytes of an inference request. @throws InputError as a reader of layouts does; Error if the thread ends. */
  readHead (body: Buffer, length: number, fields: InputFields, hold: Hold): Promise<BodyRead<Layout>>
  close (): Promise<void>
}

/** A thread starts only when there is a body for it. */
export function createLargeJson (): LargeJson {
  const inTurn = createTurns()
  const documents = createBodyThread<DocumentAsked, JsonDocument>('json-thread', import.meta.url, inTurn)
  const heads = createBodyThread<HeadAsked, Layout>('inference/head-thread', import.meta.url, inTurn)
  return {
    async read (body, { known, tensors }, hold) {
      const { value, body: bytes } = await documents.read(body, { known, tensors }, hold)
      return { value: build(value, hold), body: bytes }
    },
    readHead: async (body, length, { tensors, integers = [], nested = [] }, hold) => await heads.read(body, { length, tensors, integers, nested }, hold),
    async close () { await Promise.all([documents.close(), heads.close()]) }
  }
}
