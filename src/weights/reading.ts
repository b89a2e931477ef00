import { createThread } from '../thread.ts'
import type { ModelContents } from './folder.ts'
import { ModelsError } from './models-error.ts'
import type { ModelPlace } from './places.ts'
import type { Read } from './reading-thread.ts'

/** Reads models off the event loop, one at a time. */
export interface Reading {
  /** @throws ModelsError if the files cannot be read. */
  read (place: ModelPlace): Promise<ModelContents>
  close (): Promise<void>
}

/** Prepares the reading thread, which starts with the first model. */
export function startReading (): Reading {
  const thread = createThread<ModelPlace, Read>('reading-thread', import.meta.url)
  return {
    async read (place) {
      const read = await thread.ask(place)
      if ('fault' in read) throw new ModelsError(read.fault)
      return read.contents
    },
    close: thread.close
  }
}
