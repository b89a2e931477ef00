import { InputError } from '../errors.ts'
import { createThread } from '../thread.ts'
import type { LargeBody, LargeDocument } from './json-thread.ts'
import { build } from './json.ts'
import type { Fields, Hold } from './tensor-paths.ts'

/** Bodies of so many bytes are read in a thread. It takes less than a millisecond to read a shorter one. */
export const LARGE = 2 ** 18

/** Reads large JSON bodies off the event loop, one after the other. */
export interface LargeJson {
  /**
   * Reads as a reader of `Json` does.
   *
   * @returns the body as well: the thread had its memory meanwhile, and `body` has none any more.
   * @throws InputError as that reader does, before it reads if there is no room for the request any more; Error if the thread ends.
   */
  read (body: Buffer, fields: Fields, hold: Hold): Promise<LargeBodyRead>
  close (): Promise<void>
}

export interface LargeBodyRead {
  readonly value: unknown
  readonly body: Buffer
}

/** Nothing is started before the first body comes. */
export function createLargeJson (): LargeJson {
  const thread = createThread<LargeBody, LargeDocument>('json-thread', import.meta.url)
  let last: Promise<void> = Promise.resolve()

  async function readNow (body: Buffer, { known, tensors }: Fields, hold: Hold): Promise<LargeBodyRead> {
    // A body whose request is over is not read.
    hold(0)
    const read = await thread.ask({ bytes: ownMemory(body), known, tensors })
    if ('kind' in read) throw new InputError(read.kind, read.errors)
    const { document, bytes: { buffer, byteOffset, byteLength } } = read
    return { value: build(document, hold), body: Buffer.from(buffer, byteOffset, byteLength) }
  }

  return {
    async read (body, fields, hold) {
      const read = last.then(async () => await readNow(body, fields, hold))
      // Only one body at a time is held twice, as text and as tensors that are not counted yet.
      last = read.then(() => {}, () => {})
      return await read
    },
    close: thread.close
  }
}

/** A body whose memory can go to a thread: nothing else is in it. */
function ownMemory (body: Buffer): Uint8Array {
  return body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body)
}
