import type { Going } from '../going-on.ts'
import type { KeptRow } from '../kept-row.ts'
import type { Model } from '../model.ts'

/** One row that continues from request to request. */
export interface Session {
  /** 128 bits, base64url: random, unless derived from an id that the client has chosen. */
  readonly id: string
  readonly model: Model
  /** The API key that created it; no other key can use it. */
  readonly owner: string | undefined
  /** How many seconds it can be idle before it ends. */
  readonly idleTimeout: number
  /** The row as it is now, and its context. */
  readonly going: Going
  /** When it ends if nobody uses it, in milliseconds since 1970. */
  readonly expires: number
  /** What its last step answered, for a repeated request; left out if that step is not safe to ask for again. */
  readonly last: Taken | undefined
  /** Whether the store was not asked, so that another session may have its id by now. */
  readonly remembered?: boolean
  /** If the store uses them, `stamp` identifies this state, and `made` this session among all that have had its id. */
  readonly stamp?: string
  readonly made?: string
}

/** One or more steps that a session has taken. */
export interface Taken {
  /** How many steps had been taken before. */
  readonly before: number
  /** A hash of the request's bytes. */
  readonly digest: string
  readonly answer: object
  /** How many bytes the answer's tensors take. */
  readonly bytes: number
}

/** What a session is created from. With an id, it replaces the owner's session with that id, if there is one. */
export type Draft = Pick<Session, 'model' | 'owner' | 'going'> & { readonly id?: string, readonly idleTimeout?: number | undefined }

/** How many milliseconds the reason for a session's end is kept: a request for it gets a 410 until then, and a 404 later. */
export const TOMBSTONE = 3_600_000

/** Why a session ends if its model is replaced. */
export const REPLACED = 'model replaced'

/** Where sessions are kept. */
export interface SessionStore {
  /** @throws InputError if there is no room; no live session is ended to make room. */
  create (draft: Draft): Promise<Session>
  /**
   * @param t how many steps the caller expects to have been taken: a step that was already taken from there is answered again.
   * @throws InputError if it never existed, belongs to another key, or has ended; the message says why.
   */
  get (id: string, owner: string | undefined, t?: number): Promise<Session>
  /**
   * Like `get`, for a caller that takes its next steps. If the caller knows how many have been taken, the session may be as this process last
   * left it; `advance` then reports whether it still was.
   *
   * @throws InputError as `get`, if the store is asked.
   */
  recall (id: string, owner: string | undefined, t?: number): Promise<Session>
  /** Keeps a session from expiring, and its context in memory, until the function that it returns is called. @throws InputError as `get`. */
  hold (session: Session): Promise<() => void>
  /**
   * Advances a session, if it is still where it was: of several callers, one succeeds.
   *
   * @param taken left out if nobody can ask for these steps again.
   * @returns whether it was still there.
   * @throws InputError if the session has ended meanwhile.
   */
  advance (session: Session, row: KeptRow, taken?: Taken): Promise<boolean>
  /** @throws InputError as `get`. */
  end (id: string, owner: string | undefined): Promise<void>
  /** The sessions of a model in order of creation, starting from a place, and where the next page begins. */
  page (model: string, owner: string | undefined, from: number, limit: number): Promise<{ sessions: readonly Session[], next: number | undefined }>
  /** Ends what this process holds for a model version that is no longer served. A step in progress is still taken. */
  leave (model: Model): void
  close (): Promise<void>
}
