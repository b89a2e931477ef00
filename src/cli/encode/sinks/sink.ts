import type { Answer, BadRow } from '../row.ts'

/** A file of answers, in the order of the rows. */
export interface Sink {
  /**
   * Writes what was made of some rows, and sees to it that it is on the disk.
   *
   * @returns where the file stands now, as JSON: what `open` goes on from.
   * @throws Error of the file system.
   */
  write (answers: ReadonlyArray<Answer | BadRow>): Promise<unknown>
  /** Takes back what a `write` that failed has written. */
  rollBack (): Promise<void>
  /** Makes the file whole, once all is written. */
  finish (): Promise<void>
  /** Removes what it took beside the file, once that is whole. */
  tidy (): Promise<void>
  close (): Promise<void>
}

/** What is written of each answer. */
export interface Columns {
  /** What rows may carry. */
  readonly carries: readonly string[]
  /** The fields of an answer, by the API's names; a part is `parts/NAME`. */
  readonly fields: readonly string[]
  /** Whether a field has every step. */
  readonly sequences: boolean
}

/** The fields that have one vector per row; the others have one per step. */
export const STATES: readonly string[] = ['h_out', 'c_out', 'h_next']
