import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { basename } from 'node:path'
import { answerQuestions } from '../thread.ts'
import { asFault, readContents, type ModelContents } from './folder.ts'
import type { ModelPlace } from './places.ts'

/*
 * The thread that reads models while the service serves: the place of one after the other comes, and its contents go. To hash a
 * file and to judge its numbers would keep the event loop.
 */

/** What goes: contents, or what is wrong with them. */
export type Read = { readonly contents: ModelContents } | { readonly fault: string }

yieldToOthers()
answerQuestions<ModelPlace, Read>(async (place) => await readContents(place).then((contents) => ({ contents }), (error: unknown) => ({ fault: asFault(error).message })))

/** Those who are served have the cores first: Linux has a priority for each thread. Elsewhere all stays as it is. */
function yieldToOthers (): void {
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), constants.priority.PRIORITY_LOW)
  } catch {}
}
