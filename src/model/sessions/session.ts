import type { Going } from '../going-on.ts'
import type { KeptRow } from '../kept-row.ts'
import type { Model } from '../model.ts'

/** One row that goes on from request to request. */
export interface Session {
  /** 128 bits, base64url: random, unless its client has chosen what they are made of. */
  readonly id: string
  readonly model: Model
  /** The API key that made it; nobody else's is it. */
  readonly owner: string | undefined
  /** For how many seconds nobody may use it before it ends. */
  readonly idleTimeout: number
  /** The row as it is now, and its context. */
  readonly going: Going
  /** When it ends if nobody uses it, in milliseconds since 1970. */
  readonly expires: number
  /** What its last step answered, for those who ask again; left out if that step is not safe to ask for again. */
  readonly last: Taken | undefined
  /** Whether the store was not asked, so that another may have taken its id. */
  readonly remembered?: boolean
  /** Which of its states this is, and which of the sessions that have had its id, if the store tells them by that. */
  readonly stamp?: string
  readonly made?: string
}

/** A step, or several, that a session has taken. */
export interface Taken {
  /** How many steps had been taken before. */
  readonly before: number
  /** Of the request's bytes. */
  readonly digest: string
  readonly answer: object
  /** How many bytes the answer's tensors take. */
  readonly bytes: number
}

/** What a session is made from. One that has an id takes the place of the owner's own session of that id, if there is one. */
export type Draft = Pick<Session, 'model' | 'owner' | 'going'> & { readonly id?: string, readonly idleTimeout?: number | undefined }

/** For how many milliseconds the reason for a session's end is kept: a request for it is a 410 until then, and a 404 later. */
export const TOMBSTONE = 3_600_000

/** Why a session ends if its model does. */
export const REPLACED = 'model replaced'

/** Where sessions are kept. */
export interface SessionStore {
  /** @throws InputError if there is no room; nothing that lives is ended for it. */
  create (draft: Draft): Promise<Session>
  /**
   * @param t how many steps the caller takes to have been taken: a step that was taken from there answers again.
   * @throws InputError if it never was or is another's, or has ended, and why.
   */
  get (id: string, owner: string | undefined, t?: number): Promise<Session>
  /**
   * The same for those who take its steps next. If they know how many have been taken, the session may be as this process last left it: `advance`
   * then tells whether it still was.
   *
   * @throws InputError as `get`, if the store is asked.
   */
  recall (id: string, owner: string | undefined, t?: number): Promise<Session>
  /** Keeps a session from expiring, and its context in memory, until the function that it returns is called. @throws InputError as `get`. */
  hold (session: Session): Promise<() => void>
  /**
   * Moves a session on, if it is still where it was: one of several who try succeeds.
   *
   * @param taken left out if nobody can ask for these steps again.
   * @returns whether it was.
   * @throws InputError if the session has ended meanwhile.
   */
  advance (session: Session, row: KeptRow, taken?: Taken): Promise<boolean>
  /** @throws InputError as `get`. */
  end (id: string, owner: string | undefined): Promise<void>
  /** The sessions of a model in the order of their making, from a place on, and where the next page begins. */
  page (model: string, owner: string | undefined, from: number, limit: number): Promise<{ sessions: readonly Session[], next: number | undefined }>
  /** Ends what this process has of a version of a model that is served no more. A step that is being taken is taken. */
  leave (model: Model): void
  close (): Promise<void>
}
