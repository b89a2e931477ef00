import { createHash, randomBytes } from 'node:crypto'
import { InputError } from '../../../errors.ts'
import { Tensor } from '../../../tensor/tensor.ts'
import type { Going } from '../../going-on.ts'
import type { KeptRow } from '../../kept-row.ts'
import type { Model } from '../../model.ts'
import { REPLACED, type Session, type SessionStore, type Taken } from '../session.ts'
import { connectStore, type StoreAddress, type StoreEvents } from './connection.ts'
import { createContexts } from './contexts.ts'
import { createIndex } from './listing.ts'
import { pack, unpack } from './packed.ts'
import { ADVANCE, CREATE, END, READ, TOUCH } from './scripts.ts'

export interface ValkeyOptions {
  readonly address: StoreAddress
  /** The most sessions in the store. */
  readonly maxSessions: number
  /** The most bytes of the contexts that this process has at hand. */
  readonly maxBytes: number
  /** The longest idle timeout, and that of sessions which say none, in seconds. */
  readonly timeout: number
  /** The longest that a request takes, in seconds: a session stays for as long as one uses it. */
  readonly requestTimeout: number
  /** The model of that name that this process serves, if it does. */
  readonly modelOf: (name: string) => Model | undefined
  readonly events: StoreEvents
}

/** Longer answers are not kept for those who ask again, unless a step's is as long. */
const MAX_ANSWER = 2 ** 16
/** How many sessions a process remembers to have seen, to tell those that the store has lost from those that never were. */
const MAX_SEEN = 10_000

/** Sessions in a Valkey or a Redis, for all who share it. */
export async function createValkeyStore ({ address, maxSessions, maxBytes, timeout, requestTimeout, modelOf, events }: ValkeyOptions): Promise<SessionStore> {
  const connection = await connectStore(address, events)
  const contexts = createContexts(maxBytes)
  const index = createIndex(connection, maxSessions)
  const seen = new Map<string, { readonly owner: string | undefined, readonly expires: number }>()
  const busy = 1000 * (requestTimeout + 1)

  function see (id: string, owner: string | undefined, expires: number): void {
    seen.delete(id)
    seen.set(id, { owner, expires })
    const [oldest] = seen.keys()
    if (seen.size > MAX_SEEN) seen.delete(oldest)
  }

  /** @throws InputError if a script did not find the session: its answer begins with why. */
  function check (id: string, owner: string | undefined, [status]: readonly Buffer[]): void {
    const reason = String(status)
    if (reason === 'live') return
    contexts.drop(id)
    const known = seen.get(id)
    if (reason === 'deleted' || reason === 'expired') seen.delete(id)
    const lost = known !== undefined && known.owner === owner && known.expires > Date.now()
    if (reason === 'unknown' && !lost) throw new InputError('unknown', { path: '', message: 'there is no such session' })
    throw ended(reason === 'unknown' ? 'lost' : reason)
  }

  /** @throws InputError if the session has ended, or this process cannot go on from what the store has of it. */
  async function read (id: string, owner: string | undefined, mode: 'use' | 'look', t: number | undefined): Promise<Session> {
    const answer = await connection.run(READ, keysOf(id), [ownerOf(owner), mode, ...(t === undefined ? [] : [t])])
    check(id, owner, answer)
    const [, name, version, idle, left, held, row, stamp, made, digest, answered] = answer
    const model = modelOf(String(name))
    if (model === undefined) throw ended(`${REPLACED}: it is of ${String(name)}, which this replica does not serve`)
    if (String(version) !== versionOf(model)) {
      throw ended(`${REPLACED}: it is of ${model.name}, version ${String(version)}; this replica serves version ${versionOf(model)}`)
    }
    const kept = readRow(row, model)
    const bytes = Number(held)
    const going = mode === 'look' || bytes === 0 ? model.resume(kept, undefined) : await contexts.find(id, madeBy(model, String(made)), bytes, async () => await loadContext(id, model, kept))
    const session = {
      id,
      model,
      owner,
      idleTimeout: Number(idle) / 1000,
      going: { ...going, row: kept },
      expires: Date.now() + Number(left),
      last: t === undefined || digest.length === 0 ? undefined : { before: t, digest: String(digest), answer: readAnswer(answered), bytes: answered.length },
      stamp: String(stamp),
      made: madeBy(model, String(made))
    }
    if (mode === 'use') see(id, owner, session.expires)
    return session
  }

  async function loadContext (id: string, model: Model, row: KeptRow): Promise<Going> {
    const bytes = await connection.get(contextKey(id))
    if (bytes === undefined) throw ended('lost: the store no longer has its context')
    return trusted('context', () => model.resume(row, unpack(bytes)))
  }

  return {
    async create ({ id: chosen, model, owner, going, idleTimeout = timeout }) {
      const id = chosen ?? randomBytes(16).toString('base64url')
      const idle = Math.ceil(1000 * Math.min(idleTimeout, timeout))
      const list = `${ownerOf(owner)}:${model.name}`
      const stamp = newStamp()
      await index.enter(id, list, idle)
      try {
        // Its first step mostly comes here.
        if (going.context !== undefined) await contexts.find(id, madeBy(model, stamp), going.bytes, async () => going)
        await connection.run(CREATE, keysOf(id), [
          ownerOf(owner), idle, model.name, versionOf(model), going.context === undefined ? 0 : going.bytes, writeRow(going.row), stamp,
          ...(going.context === undefined ? [] : [pack(going.context.given)])
        ])
      } catch (error) {
        contexts.drop(id)
        // There may be one before it, which lives on.
        if (chosen === undefined) index.settle(id, list, -1).catch(() => {})
        throw error
      }
      const expires = Date.now() + idle
      see(id, owner, expires)
      return { id, model, owner, idleTimeout: idle / 1000, going, expires, last: undefined, stamp, made: madeBy(model, stamp) }
    },
    get: async (id, owner, t) => await read(id, owner, 'use', t),
    async hold ({ id, owner, going, idleTimeout, made = '' }) {
      const idle = 1000 * idleTimeout
      const short = idle < busy
      const touch = async (ms: number): Promise<void> => { check(id, owner, await connection.run(TOUCH, keysOf(id), [ownerOf(owner), ms])) }
      if (short) await touch(busy)
      const release = going.context === undefined ? () => {} : await contexts.pin(id, made, going)
      return () => {
        release()
        // If the store is away, the session only stays for longer.
        if (short) touch(idle).catch(() => {})
      }
    },
    async advance (session, row, taken) {
      const { id, owner, going } = session
      const { digest, answer } = keptAnswer(taken, going)
      const reply = await connection.run(ADVANCE, keysOf(id), [ownerOf(owner), session.stamp ?? '', newStamp(), writeRow(row), taken?.before ?? '', digest, answer])
      if (String(reply[0]) === 'moved') return false
      check(id, owner, reply)
      see(id, owner, Date.now() + 1000 * session.idleTimeout)
      return true
    },
    async end (id, owner) {
      const reply = await connection.run(END, keysOf(id), [ownerOf(owner)])
      check(id, owner, reply)
      await index.settle(id, `${ownerOf(owner)}:${String(reply[1])}`, -1)
      contexts.drop(id)
      seen.delete(id)
    },
    async page (model, owner, from, limit) {
      const { ids, next } = await index.page(`${ownerOf(owner)}:${model}`, from, limit)
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
    // The sessions are the store's, and other replicas may serve them still.
    leave: () => contexts.clear(),
    async close () {
      contexts.clear()
      connection.close()
    }
  }
}

function contextKey (id: string): string {
  return `cellserve:{${id}}:context`
}

/** Those of a session share a hash tag, so that a cluster keeps them in one place. */
function keysOf (id: string): readonly string[] {
  return [`cellserve:{${id}}:row`, `cellserve:{${id}}:mark`, contextKey(id)]
}

/** The store learns no key of a client's. */
function ownerOf (key: string | undefined): string {
  return key === undefined ? '-' : createHash('sha256').update(key).digest('base64url').slice(0, 22)
}

function newStamp (): string {
  return randomBytes(9).toString('base64url')
}

let loads = 0
const loadOf = new WeakMap<Model, number>()

/** Which of the sessions that have had its id it is, and for which of the model's loads its context is made: even of one version there may be several. */
function madeBy (model: Model, stamp: string): string {
  const load = loadOf.get(model) ?? ++loads
  loadOf.set(model, load)
  return `${stamp} ${load}`
}

const versions = new WeakMap<Model, string>()

/** Of a model's files, and of how this release lays out its state. */
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

/** @throws InputError if the bytes are not a row of the model's. */
function readRow (bytes: Buffer, model: Model): KeptRow {
  return trusted('state', () => {
    const { t, given, seen, state }: { readonly t?: unknown, readonly given?: unknown, readonly seen?: unknown, readonly state?: unknown } = Object(unpack(bytes))
    if (!(state instanceof Tensor) || state.size !== model.state.width || typeof t !== 'number') throw new RangeError('it is no row of the model')
    return { t, given: given === true, seen: seen === true, state: state.data }
  })
}

function readAnswer (bytes: Buffer): object {
  return trusted('last answer', () => Object(unpack(bytes)))
}

function keptAnswer (taken: Taken | undefined, { room }: Going): { digest: string, answer: Buffer | string } {
  return taken === undefined || taken.bytes > Math.max(room, MAX_ANSWER) ? { digest: '', answer: '' } : { digest: taken.digest, answer: pack(taken.answer) }
}

/** What the store has may be damaged, or somebody else's. */
function trusted<T> (what: string, read: () => T): T {
  try {
    return read()
  } catch {
    throw ended(`lost: what the store has of its ${what} is damaged`)
  }
}

function ended (reason: string): InputError {
  return new InputError('ended', { path: '', message: `the session has ended: ${reason}` })
}
