/**
 * Where sessions are stored as bytes, for several processes. Each call is atomic.
 *
 * A call that throws InputError has not reached it, or has found no room.
 */
export interface Shelf {
  /** Replaces the session that has the id, if there is one. */
  create (id: string, draft: ShelfDraft): Promise<void>
  /**
   * @param t how many steps came before those whose answer is wanted as well; undefined if none is.
   */
  read (id: string, owner: string, mode: 'use' | 'look', t: number | undefined): Promise<ShelfEntry | Gone>
  context (id: string): Promise<Buffer | undefined>
  /** Keeps it for this many milliseconds from now on, even if nobody uses it. */
  touch (id: string, owner: string, milliseconds: number): Promise<Gone | undefined>
  /** Advances it if it still has the stamp that it was read with. A call that is repeated because its answer was lost succeeds again. */
  advance (id: string, owner: string, move: ShelfMove): Promise<Gone | 'moved' | undefined>
  end (id: string, owner: string): Promise<Gone | undefined>
  /** Sessions of a model in order of creation, some of which may have ended. */
  page (model: string, owner: string, from: number, limit: number): Promise<{ ids: readonly string[], next: number | undefined }>
  close (): void
}

/** Says that there is no such session, and why: `unknown`, or how it ended. */
export interface Gone {
  readonly gone: string
}

/** What is stored of a session. */
interface ShelfRow {
  /** Its model's name, and version. */
  readonly model: string
  readonly version: string
  /** How many milliseconds it can be idle before it ends. */
  readonly idle: number
  /** How many bytes its context takes in a process that uses it; 0 if it has none. */
  readonly held: number
  readonly row: Buffer
  /** Identifies this state of the session. */
  readonly stamp: string
}

export interface ShelfDraft extends ShelfRow {
  readonly owner: string
  /** How many bytes a step's answer has. */
  readonly room: number
  /** Whether its client has chosen the id, so that an earlier session may have it. */
  readonly named: boolean
  readonly context: Buffer | undefined
}

export interface ShelfEntry extends ShelfRow {
  /** The milliseconds until it ends. */
  readonly left: number
  /** Its first stamp, which identifies it among all sessions that have had the id. */
  readonly made: string
  /** The digest and the answer for the requested `t`; empty if they are not known. */
  readonly digest: string
  readonly answer: Buffer
}

export interface ShelfMove {
  readonly from: string
  readonly to: string
  readonly row: Buffer
  /** How many steps had been taken before. If nobody can ask for these steps again, it is undefined, and `digest` and `answer` are empty. */
  readonly before: number | undefined
  readonly digest: string
  readonly answer: Buffer
}
