import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { basename } from 'node:path'
import { answerQuestions } from '../thread.ts'
import { asFault, readContents, type ModelContents } from './folder.ts'
import type { ModelPlace } from './places.ts'

/*
 * The thread that reads models while the service runs: it receives one model's place after the other and returns its contents.
 * Hashing a file and checking its numbers would block the event loop.
 */

/** What the thread returns: contents, or what is wrong with them. */
export type Read = { readonly contents: ModelContents } | { readonly fault: string }

yieldToOthers()
answerQuestions<ModelPlace, Read>(async (place) => await readContents(place).then((contents) => ({ contents }), (error: unknown) => ({ fault: asFault(error).message })))

/** Lets requests have the cores first. Linux has a priority for each thread; on other systems nothing changes. */
function yieldToOthers (): void {
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), constants.priority.PRIORITY_LOW)
  } catch {}
}
