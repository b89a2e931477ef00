import { InputError } from '../../../errors.ts'
import type { Going } from '../../going-on.ts'

/** The session contexts that a process has cached, with what its engine has made from them. */
export interface Contexts {
  /**
   * What a session continues with, except for its row; loaded if it is not cached, once for all callers.
   *
   * @param made identifies the session among all that have had this id.
   * @param bytes how many bytes it takes, counted before it is loaded.
   * @throws InputError if contexts in use leave no room for it.
   */
  find (id: string, made: string, bytes: number, load: () => Promise<Going>): Promise<Going>
  /** Keeps a context until the function that it returns is called; adds it again if it has been dropped. */
  pin (id: string, made: string, going: Going): Promise<() => void>
  drop (id: string): void
  /** Drops all. */
  clear (): void
}

interface Entry {
  readonly made: string
  readonly bytes: number
  readonly loading: Promise<Going>
  users: number
}

/** @param maxBytes the most bytes of all contexts; the least recently used are dropped first. */
export function createContexts (maxBytes: number): Contexts {
  /** From the least to the most recently used. */
  const entries = new Map<string, Entry>()
  /** The bytes of all contexts, including dropped ones that are still in use. */
  let total = 0

  function add (made: string, bytes: number, loading: Promise<Going>): Entry {
    total += bytes
    return { made, bytes, loading, users: 0 }
  }

  function drop (id: string, entry: Entry): void {
    if (entries.get(id) !== entry) return
    entries.delete(id)
    if (entry.users === 0) letGo(entry)
  }

  /** Releases its memory. Call it once nobody reads it. */
  function letGo ({ bytes, loading }: Entry): void {
    total -= bytes
    loading.then(({ context }) => context?.dispose(), () => {})
  }

  function release (id: string, entry: Entry): void {
    if (--entry.users === 0 && entries.get(id) !== entry) letGo(entry)
  }

  function makeRoom (bytes: number): void {
    for (const [id, entry] of entries) {
      if (total + bytes <= maxBytes) return
      if (entry.users === 0) drop(id, entry)
    }
    if (total + bytes <= maxBytes) return
    throw new InputError('unavailable', { path: '', message: `no room for the session's context: it takes ${bytes} bytes, and others that are in use hold ${total} of ${maxBytes}` })
  }

  return {
    async find (id, made, bytes, load) {
      let entry = entries.get(id)
      if (entry !== undefined && entry.made !== made) {
        drop(id, entry)
        entry = undefined
      }
      if (entry === undefined) {
        makeRoom(bytes)
        entry = add(made, bytes, load())
      } else {
        entries.delete(id)
      }
      entries.set(id, entry)
      entry.users++
      try {
        return await entry.loading
      } catch (error) {
        drop(id, entry)
        throw error
      } finally {
        release(id, entry)
      }
    },
    async pin (id, made, going) {
      const known = entries.get(id)
      const same = known !== undefined && (await known.loading).context === going.context
      const entry = same ? known : add(made, going.bytes, Promise.resolve(going))
      if (!entries.has(id)) entries.set(id, entry)
      entry.users++
      return () => { release(id, entry) }
    },
    drop (id) {
      const entry = entries.get(id)
      if (entry !== undefined) drop(id, entry)
    },
    clear () {
      for (const [id, entry] of entries) drop(id, entry)
    }
  }
}
