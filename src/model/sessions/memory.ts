import { randomBytes } from 'node:crypto'
import { InputError } from '../../errors.ts'
import { copyOf } from '../../tensor/floats.ts'
import { Tensor } from '../../tensor/tensor.ts'
import type { Going } from '../going-on.ts'
import type { KeptRow } from '../kept-row.ts'
import type { Model } from '../model.ts'
import { checkRoom, type Bounds } from './room.ts'
import { REPLACED, type Session, type SessionStore, type Taken } from './session.ts'
import { createSlots } from './slots.ts'
import { sweep } from './sweep.ts'
import { createTombstones, type Reason } from './tombstones.ts'

export interface MemoryOptions extends Bounds {
  /** The longest idle timeout, and the default, in seconds. */
  readonly timeout: number
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number
}

/** A session as a flat object, because there can be a hundred thousand. */
interface Entry extends Omit<Session, 'going' | 'stamp' | 'made'>, Pick<Going, 'context' | 'room'>, KeptRow {
  t: number
  given: boolean
  seen: boolean
  expires: number
  last: Taken | undefined
  /** How many bytes it holds without its last step's answer, and with it. */
  readonly own: number
  bytes: number
  /** Its place in order of creation. */
  readonly place: number
  /** How often it has advanced. */
  moves: number
  /** How many requests use it. */
  users: number
  ended: boolean
}

/** Sessions in the memory of the process. */
export function createMemoryStore ({ timeout, now = Date.now, ...bounds }: MemoryOptions): SessionStore {
  const entries = new Map<string, Entry>()
  const tombstones = createTombstones(now)
  const slots = createSlots()
  /** Versions of models that are no longer served. */
  const left = new WeakSet<Model>()
  let bytes = 0
  let places = 0

  function touch (entry: Entry): void {
    entry.expires = now() + 1000 * entry.idleTimeout
  }

  /** The session as it is now; later changes to the entry do not change it. */
  function sessionOf (entry: Entry): Session {
    const { id, model, owner, idleTimeout, expires, last, t, given, seen, state, context, own, room } = entry
    return { id, model, owner, idleTimeout, expires, last, going: { row: { t, given, seen, state: copyOf(state) }, context, bytes: own, room }, stamp: stampOf(entry) }
  }

  function end (entry: Entry, reason: Reason): void {
    remove(entry)
    tombstones.bury(entry.id, entry.owner, reason)
  }

  function remove (entry: Entry): void {
    entry.ended = true
    entries.delete(entry.id)
    if (entry.users === 0) letGo(entry)
  }

  /** Releases its memory. Call it once nobody reads it. */
  function letGo ({ context, state, bytes: held }: Entry): void {
    bytes -= held
    context?.dispose()
    slots.put(state)
  }

  function isOver ({ expires, users }: Entry): boolean {
    return users === 0 && expires <= now()
  }

  function find (id: string, owner: string | undefined): Entry {
    const entry = entries.get(id)
    if (entry !== undefined && entry.owner === owner) {
      if (!isOver(entry)) return entry
      end(entry, 'expired')
    }
    const reason = tombstones.reasonOf(id, owner)
    if (reason === undefined) throw new InputError('unknown', { path: '', message: 'there is no such session' })
    throw new InputError('ended', { path: '', message: `the session has ended: ${reason}` })
  }

  async function get (id: string, owner: string | undefined): Promise<Session> {
    const entry = find(id, owner)
    touch(entry)
    return sessionOf(entry)
  }

  const timer = sweep(entries, (_, entry) => { if (isOver(entry)) end(entry, 'expired') }, tombstones.sweep)

  return {
    async create ({ id = randomBytes(16).toString('base64url'), model, owner, going, idleTimeout = timeout }) {
      const before = entries.get(id)
      const live = entries.size - (before === undefined ? 0 : 1)
      const held = bytes - (before?.users === 0 ? before.bytes : 0)
      checkRoom(bounds, live, held, going.bytes)
      if (before !== undefined) remove(before)
      const { row: { t, given, seen, state }, context, room, bytes: own } = going
      const entry: Entry = {
        id,
        model,
        owner,
        idleTimeout: Math.min(idleTimeout, timeout),
        t,
        given,
        seen,
        state: slots.keep(state),
        context,
        room,
        own,
        bytes: own,
        expires: 0,
        last: undefined,
        place: places++,
        moves: 0,
        users: 0,
        ended: false
      }
      touch(entry)
      bytes += own
      entries.set(id, entry)
      const session = sessionOf(entry)
      if (left.has(model)) end(entry, REPLACED)
      return session
    },
    get,
    recall: get,
    async hold (session) {
      const entry = find(session.id, session.owner)
      entry.users++
      return () => {
        touch(entry)
        if (--entry.users === 0 && entry.ended) letGo(entry)
      }
    },
    async advance (session, row, taken) {
      // Its steps began before its version was replaced, so they are accepted, and are its last.
      if (left.has(session.model)) return true
      const entry = find(session.id, session.owner)
      if (session.stamp !== stampOf(entry)) return false
      // The bytes of a step's answer are already counted; a longer one is kept if it fits.
      const more = taken === undefined ? 0 : Math.max(0, taken.bytes - entry.room)
      const held = entry.own + more
      const fits = more === 0 || bytes - entry.bytes + held <= bounds.maxBytes
      bytes += (fits ? held : entry.own) - entry.bytes
      entry.bytes = fits ? held : entry.own
      entry.last = fits && taken !== undefined ? { ...taken, answer: copied(taken.answer) } : undefined
      entry.t = row.t
      entry.given = row.given
      entry.seen = row.seen
      entry.state.set(row.state)
      entry.moves++
      touch(entry)
      return true
    },
    async end (id, owner) { end(find(id, owner), 'deleted') },
    async page (model, owner, from, limit) {
      const sessions: Session[] = []
      for (const entry of entries.values()) {
        if (entry.place < from || entry.model.name !== model || entry.owner !== owner || isOver(entry)) continue
        if (sessions.length === limit) return { sessions, next: entry.place }
        sessions.push(sessionOf(entry))
      }
      return { sessions, next: undefined }
    },
    leave (model) {
      left.add(model)
      for (const entry of [...entries.values()]) if (entry.model === model) end(entry, REPLACED)
    },
    async close () {
      clearInterval(timer)
      for (const entry of entries.values()) letGo(entry)
      entries.clear()
    }
  }
}

/** A copy of an answer, whose tensors have their own memory. */
function copied (answer: object): object {
  return Object.fromEntries(Object.entries(answer).map(([name, value]: [string, unknown]) => {
    if (value instanceof Tensor) return [name, new Tensor(value.shape, value.data.slice())]
    return [name, typeof value === 'object' && value !== null ? copied(value) : value]
  }))
}

/** Identifies this session among all that have had its id, and its current state. */
function stampOf ({ place, moves }: Entry): string {
  return `${place} ${moves}`
}
