import { once } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
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

/** Starts the thread that reads. */
export function startReading (): Reading {
  const thread = new Worker(new URL(`./reading-thread${extname(import.meta.url)}`, import.meta.url))
  thread.unref()
  const end = once(thread, 'exit').then(() => { throw new Error('the thread that reads models has ended') })
  end.catch(() => {})
  return {
    async read (place) {
      const answer = once(thread, 'message')
      thread.postMessage(place)
      const [read]: Read[] = await Promise.race([answer, end])
      if ('fault' in read) throw new ModelsError(read.fault)
      return read.contents
    },
    async close () { await thread.terminate() }
  }
}
