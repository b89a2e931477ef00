import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { basename } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { asFault, readContents, type ModelContents } from './folder.ts'
import type { ModelPlace } from './places.ts'

/*
 * The thread that reads models while the service serves: the place of one after the other comes, and its contents go. To hash a
 * file and to judge its numbers would keep the event loop.
 */

/** What goes: contents, or what is wrong with them. */
export type Read = { readonly contents: ModelContents } | { readonly fault: string }

/** Smaller memory is copied: it may be part of a pool, which must stay. */
const TRANSFERRED = 2 ** 17

yieldToOthers()
parentPort?.on('message', (place: ModelPlace) => { void answer(place) })

async function answer (place: ModelPlace): Promise<void> {
  const read: Read = await readContents(place).then((contents) => ({ contents }), (error: unknown) => ({ fault: asFault(error).message }))
  parentPort?.postMessage(read, 'fault' in read ? [] : [...buffersOf(read.contents)])
}

/** Those who are served have the cores first: Linux has a priority for each thread. Elsewhere all stays as it is. */
function yieldToOthers (): void {
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), constants.priority.PRIORITY_LOW)
  } catch {}
}

/** The memory of the typed arrays in a value. */
function buffersOf (value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer && value.buffer.byteLength >= TRANSFERRED) found.add(value.buffer)
  } else if (value instanceof Map) {
    for (const each of value.values()) buffersOf(each, found)
  } else if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) buffersOf(each, found)
  }
  return found
}
