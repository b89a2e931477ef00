import { randomBytes } from 'node:crypto'
import { InputError } from '../../errors.ts'
import type { Model } from '../model.ts'
import { checkRoom, type Bounds } from './room.ts'
import { REPLACED, type Session, type SessionStore } from './session.ts'
import { sweep } from './sweep.ts'
import { createTombstones, type Reason } from './tombstones.ts'

export interface MemoryOptions extends Bounds {
  /** The longest idle timeout, and that of sessions which say none, in seconds. */
  readonly timeout: number
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

interface Entry {
  readonly session: Writable<Session>
  /** Its place in the order of their making. */
  readonly place: number
  /** How many requests use it. */
  users: number
  bytes: number
  ended: boolean
}

/** Sessions in the memory of the process. */
export function createMemoryStore ({ timeout, now = Date.now, ...bounds }: MemoryOptions): SessionStore {
  const entries = new Map<string, Entry>()
  const tombstones = createTombstones(now)
  /** Versions of models that are served no more. */
  const left = new WeakSet<Model>()
  let bytes = 0
  let places = 0

  function touch ({ session }: Entry): void {
    session.expires = now() + 1000 * session.idleTimeout
  }

  function end (entry: Entry, reason: Reason): void {
    const { session: { id, owner } } = entry
    remove(entry)
    tombstones.bury(id, owner, reason)
  }

  function remove (entry: Entry): void {
    entry.ended = true
    entries.delete(entry.session.id)
    if (entry.users === 0) letGo(entry)
  }

  /** Its memory goes once nobody reads it. */
  function letGo ({ session, bytes: held }: Entry): void {
    bytes -= held
    session.going.context?.dispose()
  }

  function isOver ({ session, users }: Entry): boolean {
    return users === 0 && session.expires <= now()
  }

  function find (id: string, owner: string | undefined): Entry {
    const entry = entries.get(id)
    if (entry !== undefined && entry.session.owner === owner) {
      if (!isOver(entry)) return entry
      end(entry, 'expired')
    }
    const reason = tombstones.reasonOf(id, owner)
    if (reason === undefined) throw new InputError('unknown', { path: '', message: 'there is no such session' })
    throw new InputError('ended', { path: '', message: `the session has ended: ${reason}` })
  }

  const timer = sweep(entries, (_, entry) => { if (isOver(entry)) end(entry, 'expired') }, tombstones.sweep)

  return {
    async create ({ id = randomBytes(16).toString('base64url'), model, owner, going, idleTimeout = timeout }) {
      const before = entries.get(id)
      const live = entries.size - (before === undefined ? 0 : 1)
      const held = bytes - (before?.users === 0 ? before.bytes : 0)
      checkRoom(bounds, live, held, going.bytes)
      if (before !== undefined) remove(before)
      const session = { id, model, owner, idleTimeout: Math.min(idleTimeout, timeout), going, expires: 0, last: undefined }
      const entry: Entry = { session, place: places++, users: 0, bytes: going.bytes, ended: false }
      touch(entry)
      bytes += entry.bytes
      entries.set(id, entry)
      if (left.has(model)) end(entry, REPLACED)
      return { ...session }
    },
    async get (id, owner) {
      const entry = find(id, owner)
      touch(entry)
      return { ...entry.session }
    },
    async hold (session) {
      const entry = find(session.id, session.owner)
      entry.users++
      return () => {
        touch(entry)
        if (--entry.users === 0 && entry.ended) letGo(entry)
      }
    },
    async advance (session, row, taken) {
      // Its steps began before its version was replaced: they are taken, and are its last.
      if (left.has(session.model)) return true
      const entry = find(session.id, session.owner)
      if (entry.session.going.row !== session.going.row) return false
      // A step's answer has its room; a longer one is kept if there is more.
      const more = taken === undefined ? 0 : Math.max(0, taken.bytes - session.going.room)
      const held = session.going.bytes + more
      const fits = more === 0 || bytes - entry.bytes + held <= bounds.maxBytes
      bytes += (fits ? held : session.going.bytes) - entry.bytes
      entry.bytes = fits ? held : session.going.bytes
      entry.session.going = { ...session.going, row }
      entry.session.last = fits ? taken : undefined
      touch(entry)
      return true
    },
    async end (id, owner) { end(find(id, owner), 'deleted') },
    async page (model, owner, from, limit) {
      const sessions: Session[] = []
      for (const entry of entries.values()) {
        const { session, place } = entry
        if (place < from || session.model.name !== model || session.owner !== owner || isOver(entry)) continue
        if (sessions.length === limit) return { sessions, next: place }
        sessions.push({ ...session })
      }
      return { sessions, next: undefined }
    },
    leave (model) {
      left.add(model)
      for (const entry of [...entries.values()]) if (entry.session.model === model) end(entry, REPLACED)
    },
    async close () {
      clearInterval(timer)
      for (const entry of entries.values()) letGo(entry)
      entries.clear()
    }
  }
}
