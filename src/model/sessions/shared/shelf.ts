/**
 * Where sessions lie as bytes, for several processes. Each of its calls is done in one go, whoever else calls meanwhile.
 *
 * A call that throws InputError has not reached it, or found no room.
 */
export interface Shelf {
  /** Takes the place of what has the id. */
  create (id: string, draft: ShelfDraft): Promise<void>
  /**
   * @param t the steps before those whose answer is wanted, too, if any is.
   */
  read (id: string, owner: string, mode: 'use' | 'look', t: number | undefined): Promise<ShelfEntry | Gone>
  context (id: string): Promise<Buffer | undefined>
  /** Keeps it for this many milliseconds from now on, even if nobody uses it. */
  touch (id: string, owner: string, milliseconds: number): Promise<Gone | undefined>
  /** Moves it on if it has still the stamp that it was read with. One that was done, but whose answer was lost, is done if it comes again. */
  advance (id: string, owner: string, move: ShelfMove): Promise<Gone | 'moved' | undefined>
  end (id: string, owner: string): Promise<Gone | undefined>
  /** Sessions of a model in the order of their making, some of which may have ended. */
  page (model: string, owner: string, from: number, limit: number): Promise<{ ids: readonly string[], next: number | undefined }>
  close (): void
}

/** That there is no such session, and why: `unknown`, or how it ended. */
export interface Gone {
  readonly gone: string
}

/** Of a session. */
interface ShelfRow {
  /** Its model's name, and version. */
  readonly model: string
  readonly version: string
  /** For how many milliseconds nobody may use it before it ends. */
  readonly idle: number
  /** How many bytes its context takes where it is in use; 0 if it has none. */
  readonly held: number
  readonly row: Buffer
  /** Which of its states this is. */
  readonly stamp: string
}

export interface ShelfDraft extends ShelfRow {
  readonly owner: string
  /** How many bytes a step's answer has. */
  readonly room: number
  /** Whether its client has chosen the id, so that there may be one before it. */
  readonly named: boolean
  readonly context: Buffer | undefined
}

export interface ShelfEntry extends ShelfRow {
  /** The milliseconds until it ends. */
  readonly left: number
  /** Its first stamp: which of the sessions that have had the id it is. */
  readonly made: string
  /** What was answered for the `t` that was asked for; empty if that is not known. */
  readonly digest: string
  readonly answer: Buffer
}

export interface ShelfMove {
  readonly from: string
  readonly to: string
  readonly row: Buffer
  /** How many steps had been taken before; left out, and the others empty, if nobody can ask for these again. */
  readonly before: number | undefined
  readonly digest: string
  readonly answer: Buffer
}
