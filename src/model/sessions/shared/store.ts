import { createHash, randomBytes } from 'node:crypto'
import { InputError } from '../../../errors.ts'
import { Tensor } from '../../../tensor/tensor.ts'
import type { Going } from '../../going-on.ts'
import { ownRow, type KeptRow } from '../../kept-row.ts'
import type { Model } from '../../model.ts'
import { REPLACED, type Session, type SessionStore, type Taken } from '../session.ts'
import { createContexts } from './contexts.ts'
import { pack, unpack } from './packed.ts'
import { createPlaces } from './places.ts'
import type { Gone, Shelf, ShelfEntry } from './shelf.ts'

export interface SharedOptions {
  /** The most bytes of the contexts that this process has cached. */
  readonly maxBytes: number
  /** The longest idle timeout, and the default, in seconds. */
  readonly timeout: number
  /** The longest that a request takes, in seconds: a session is kept while a request uses it. */
  readonly requestTimeout: number
  /** Returns the model with that name, if this process serves it. */
  readonly modelOf: (name: string) => Model | undefined
}

/** Longer answers are not kept for repeated requests, unless a single step's answer is as long. */
const MAX_ANSWER = 2 ** 16
/** How many sessions a process remembers having seen, to tell those that the store has lost from those that never existed. */
const MAX_SEEN = 10_000

/** Sessions on a shelf, for all processes that share it. */
export function createSharedStore (shelf: Shelf, { maxBytes, timeout, requestTimeout, modelOf }: SharedOptions): SessionStore {
  const contexts = createContexts(maxBytes)
  const places = createPlaces()
  const seen = new Map<string, { readonly owner: string | undefined, readonly expires: number }>()
  const busy = 1000 * (requestTimeout + 1)

  function see (id: string, owner: string | undefined, expires: number): void {
    seen.delete(id)
    seen.set(id, { owner, expires })
    const [oldest] = seen.keys()
    if (seen.size > MAX_SEEN) seen.delete(oldest)
  }

  /** The error for a session that the shelf no longer has. */
  function lose (id: string, owner: string | undefined, { gone }: Gone): InputError {
    contexts.drop(id)
    places.drop(id)
    const known = seen.get(id)
    if (gone === 'deleted' || gone === 'expired') seen.delete(id)
    const lost = known !== undefined && known.owner === owner && known.expires > Date.now()
    if (gone === 'unknown' && !lost) return new InputError('unknown', { path: '', message: 'there is no such session' })
    return ended(gone === 'unknown' ? 'lost' : gone)
  }

  /** @throws InputError if the session has ended, or this process cannot continue from what the shelf has stored. */
  async function read (id: string, owner: string | undefined, mode: 'use' | 'look', t: number | undefined): Promise<Session> {
    const entry = await shelf.read(id, ownerOf(owner), mode, t)
    if ('gone' in entry) throw lose(id, owner, entry)
    const { model: name, version, idle, left, held, row, stamp, digest } = entry
    const model = modelOf(name)
    if (model === undefined) throw ended(`${REPLACED}: it belongs to ${name}, which this replica does not serve`)
    if (version !== versionOf(model)) {
      throw ended(`${REPLACED}: it belongs to ${model.name}, version ${version}; this replica serves version ${versionOf(model)}`)
    }
    const kept = readRow(row, model)
    const made = madeBy(model, entry.made)
    const session = {
      id,
      model,
      owner,
      idleTimeout: idle / 1000,
      going: await goingOf(id, model, kept, made, mode === 'look' ? 0 : held),
      expires: Date.now() + left,
      last: t === undefined || digest === '' ? undefined : takenOf(entry, t),
      stamp,
      made
    }
    if (mode === 'use') see(id, owner, session.expires)
    return session
  }

  /** @param held how many bytes its context takes; 0 if it is resumed without one. */
  async function goingOf (id: string, model: Model, row: KeptRow, made: string, held: number): Promise<Going> {
    if (held === 0) return model.resume(row, undefined)
    return { ...await contexts.find(id, made, held, async () => await loadContext(id, model, row)), row }
  }

  async function loadContext (id: string, model: Model, row: KeptRow): Promise<Going> {
    const bytes = await shelf.context(id)
    if (bytes === undefined) throw ended('lost: the store no longer has its context')
    return trusted('context', () => model.resume(row, unpack(bytes)))
  }

  function clear (): void {
    contexts.clear()
    places.clear()
  }

  return {
    async create ({ id: chosen, model, owner, going: { row, ...opened }, idleTimeout = timeout }) {
      // A cached context outlives the request.
      const going = { ...opened, row: ownRow(row) }
      const id = chosen ?? randomBytes(16).toString('base64url')
      const idle = Math.ceil(1000 * Math.min(idleTimeout, timeout))
      const stamp = newStamp()
      const held = going.context === undefined ? 0 : going.bytes
      try {
        // Its first step usually comes to this process.
        if (held > 0) await contexts.find(id, madeBy(model, stamp), held, async () => going)
        await shelf.create(id, {
          owner: ownerOf(owner),
          idle,
          model: model.name,
          version: versionOf(model),
          held,
          row: writeRow(going.row),
          stamp,
          room: going.room,
          named: chosen !== undefined,
          context: going.context === undefined ? undefined : pack(going.context.given)
        })
      } catch (error) {
        contexts.drop(id)
        throw error
      }
      const expires = Date.now() + idle
      see(id, owner, expires)
      return { id, model, owner, idleTimeout: idle / 1000, going, expires, last: undefined, stamp, made: madeBy(model, stamp) }
    },
    get: async (id, owner, t) => await read(id, owner, 'use', t),
    async recall (id, owner, t) {
      const place = places.find(id)
      // If the place has taken `t` steps, nobody has taken another since. Its end must be far off, because only a read postpones it.
      const isThere = place !== undefined && place.row.t === t && place.owner === owner && modelOf(place.model.name) === place.model && place.expires - Date.now() > busy
      if (!isThere) return await read(id, owner, 'use', t)
      const { model, idleTimeout, held, made, stamp, row } = place
      return { id, model, owner, idleTimeout, going: await goingOf(id, model, row, made, held), expires: Date.now() + 1000 * idleTimeout, last: undefined, stamp, made, remembered: true }
    },
    async hold ({ id, owner, going, idleTimeout, made = '' }) {
      const idle = 1000 * idleTimeout
      const short = idle < busy
      const touch = async (ms: number): Promise<void> => {
        const gone = await shelf.touch(id, ownerOf(owner), ms)
        if (gone !== undefined) throw lose(id, owner, gone)
      }
      if (short) await touch(busy)
      const release = going.context === undefined ? () => {} : await contexts.pin(id, made, going)
      return () => {
        release()
        // If the store is unavailable, the session is only kept for longer.
        if (short) touch(idle).catch(() => {})
      }
    },
    async advance (session, row, taken) {
      const { id, owner, going, model, idleTimeout, made = '' } = session
      const { digest, answer } = keptAnswer(taken, going)
      const stamp = newStamp()
      const reply = await shelf.advance(id, ownerOf(owner), { from: session.stamp ?? '', to: stamp, row: writeRow(row), before: taken?.before, digest, answer })
      if (reply === 'moved') {
        places.drop(id)
        return false
      }
      if (reply !== undefined) throw lose(id, owner, reply)
      const expires = Date.now() + 1000 * idleTimeout
      see(id, owner, expires)
      // A client that does not count its steps has no use for the place, and a version that is no longer served is not kept.
      if (taken === undefined || modelOf(model.name) !== model) places.drop(id)
      else places.leave(id, { owner, model, idleTimeout, expires, held: going.context === undefined ? 0 : going.bytes, made, stamp, row })
      return true
    },
    async end (id, owner) {
      const gone = await shelf.end(id, ownerOf(owner))
      if (gone !== undefined) throw lose(id, owner, gone)
      contexts.drop(id)
      places.drop(id)
      seen.delete(id)
    },
    async page (model, owner, from, limit) {
      const { ids, next } = await shelf.page(model, ownerOf(owner), from, limit)
      const found = await Promise.all(ids.map(async (id) => {
        try {
          return [await read(id, owner, 'look', undefined)]
        } catch (error) {
          if (error instanceof InputError && error.kind !== 'unavailable') return []
          throw error
        }
      }))
      return { sessions: found.flat(), next }
    },
    // The sessions belong to the shelf, and other processes may still serve them.
    leave: clear,
    async close () {
      clear()
      shelf.close()
    }
  }
}

/** The store never receives a client's key. */
function ownerOf (key: string | undefined): string {
  return key === undefined ? '-' : createHash('sha256').update(key).digest('base64url').slice(0, 22)
}

function newStamp (): string {
  return randomBytes(9).toString('base64url')
}

let loads = 0
const loadOf = new WeakMap<Model, number>()

/** Identifies the session among all that have had its id, and the model's load that made its context: one version can be loaded more than once. */
function madeBy (model: Model, stamp: string): string {
  const load = loadOf.get(model) ?? ++loads
  loadOf.set(model, load)
  return `${stamp} ${load}`
}

const versions = new WeakMap<Model, string>()

/** Identifies a model's files, and how this release lays out its state. */
function versionOf (model: Model): string {
  const known = versions.get(model)
  if (known !== undefined) return known
  const layout = createHash('sha256').update(JSON.stringify(model.state)).digest('hex').slice(0, 8)
  const version = `${model.version.slice(0, 16)}-${layout}`
  versions.set(model, version)
  return version
}

function writeRow ({ t, given, seen, state }: KeptRow): Buffer {
  return pack({ t, given, seen, state: new Tensor([state.length], state) })
}

/** @throws InputError if the bytes are not a row of the model. */
function readRow (bytes: Buffer, model: Model): KeptRow {
  return trusted('state', () => {
    const { t, given, seen, state }: { readonly t?: unknown, readonly given?: unknown, readonly seen?: unknown, readonly state?: unknown } = Object(unpack(bytes))
    if (!(state instanceof Tensor) || state.size !== model.state.width || typeof t !== 'number') throw new RangeError('it is no row of the model')
    return { t, given: given === true, seen: seen === true, state: state.data }
  })
}

function takenOf ({ digest, answer }: ShelfEntry, before: number): Taken {
  return { before, digest, answer: trusted('last answer', () => Object(unpack(answer))), bytes: answer.length }
}

function keptAnswer (taken: Taken | undefined, { room }: Going): { digest: string, answer: Buffer } {
  return taken === undefined || taken.bytes > Math.max(room, MAX_ANSWER) ? { digest: '', answer: NOTHING } : { digest: taken.digest, answer: pack(taken.answer) }
}

const NOTHING = Buffer.alloc(0)

/** What the store holds may be damaged, or written by someone else. */
function trusted<T> (what: string, read: () => T): T {
  try {
    return read()
  } catch {
    throw ended(`lost: its ${what} in the store is damaged`)
  }
}

function ended (reason: string): InputError {
  return new InputError('ended', { path: '', message: `the session has ended: ${reason}` })
}
