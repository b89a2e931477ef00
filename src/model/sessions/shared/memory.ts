import { checkRoom, type Bounds } from '../room.ts'
import { sweep } from '../sweep.ts'
import { createTombstones, type Reason } from '../tombstones.ts'
import type { Gone, Shelf, ShelfDraft } from './shelf.ts'

export interface ShelfBounds extends Bounds {
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number
}

interface Entry extends Omit<ShelfDraft, 'named'> {
  readonly made: string
  /** Its place in order of creation. */
  readonly place: number
  row: Buffer
  stamp: string
  before: number | undefined
  digest: string
  answer: Buffer
  expires: number
  bytes: number
}

/** How many bytes an entry takes in addition to its own, and an answer in addition to its numbers. */
const ENTRY = 1024
const ANSWER = 512
const NOTHING = Buffer.alloc(0)

/** A shelf in the memory of one process, for other processes to use. */
export function createMemoryShelf ({ now = Date.now, ...bounds }: ShelfBounds): Shelf {
  const entries = new Map<string, Entry>()
  const tombstones = createTombstones(now)
  let total = 0
  let places = 0

  function remove (id: string, { bytes }: Entry): void {
    entries.delete(id)
    total -= bytes
  }

  function end (id: string, entry: Entry, reason: Reason): void {
    remove(id, entry)
    tombstones.bury(id, entry.owner, reason)
  }

  function find (id: string, owner: string): Entry | Gone {
    const entry = entries.get(id)
    if (entry !== undefined && entry.owner === owner) {
      if (entry.expires > now()) return entry
      end(id, entry, 'expired')
    }
    return { gone: tombstones.reasonOf(id, owner) ?? 'unknown' }
  }

  const timer = sweep(entries, (id, entry) => { if (entry.expires <= now()) end(id, entry, 'expired') }, tombstones.sweep)

  return {
    async create (id, { named: _, ...draft }) {
      const before = entries.get(id)
      const live = entries.size - (before === undefined ? 0 : 1)
      const held = total - (before?.bytes ?? 0)
      const bytes = ENTRY + draft.row.length + (draft.context?.length ?? 0) + ANSWER + draft.room
      checkRoom(bounds, live, held, bytes)
      if (before !== undefined) remove(id, before)
      entries.set(id, { ...draft, made: draft.stamp, place: places++, before: undefined, digest: '', answer: NOTHING, expires: now() + draft.idle, bytes })
      total += bytes
    },
    async read (id, owner, mode, t) {
      const entry = find(id, owner)
      if ('gone' in entry) return entry
      if (mode === 'use') entry.expires = now() + entry.idle
      const { model, version, idle, held, row, stamp, made, expires, before } = entry
      const known = t !== undefined && t === before
      return { model, version, idle, held, row, stamp, made, left: expires - now(), digest: known ? entry.digest : '', answer: known ? entry.answer : NOTHING }
    },
    context: async (id) => entries.get(id)?.context,
    async touch (id, owner, milliseconds) {
      const entry = find(id, owner)
      if ('gone' in entry) return entry
      entry.expires = now() + milliseconds
      return undefined
    },
    async advance (id, owner, { from, to, row, before, digest, answer }) {
      const entry = find(id, owner)
      if ('gone' in entry) return entry
      if (entry.stamp !== to) {
        if (entry.stamp !== from) return 'moved'
        // The bytes of a step's answer are already counted; a longer one is kept if it fits.
        const plain = ENTRY + row.length + (entry.context?.length ?? 0) + ANSWER + entry.room
        const bytes = plain + Math.max(0, answer.length - ANSWER - entry.room)
        const fits = bytes === plain || total - entry.bytes + bytes <= bounds.maxBytes
        total += (fits ? bytes : plain) - entry.bytes
        Object.assign(entry, { stamp: to, row, before, digest: fits ? digest : '', answer: fits ? answer : NOTHING, bytes: fits ? bytes : plain })
      }
      entry.expires = now() + entry.idle
      return undefined
    },
    async end (id, owner) {
      const entry = find(id, owner)
      if ('gone' in entry) return entry
      end(id, entry, 'deleted')
      return undefined
    },
    async page (model, owner, from, limit) {
      const ids: string[] = []
      for (const [id, entry] of entries) {
        if (entry.place < from || entry.model !== model || entry.owner !== owner || entry.expires <= now()) continue
        if (ids.length === limit) return { ids, next: entry.place }
        ids.push(id)
      }
      return { ids, next: undefined }
    },
    close () {
      clearInterval(timer)
      entries.clear()
      total = 0
    }
  }
}
