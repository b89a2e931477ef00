import type { Answer, BadRow } from '../row.ts'

/** A file of answers, in the order of the rows. */
export interface Sink {
  /**
   * Writes the answers of some rows, and syncs them to disk.
   *
   * @returns the file's state, as JSON, from which `openSink` resumes.
   * @throws Error from the file system.
   */
  write (answers: ReadonlyArray<Answer | BadRow>): Promise<unknown>
  /** Removes what a failed `write` has written. */
  rollBack (): Promise<void>
  /** Completes the file, after all writes. */
  finish (): Promise<void>
  /** Removes temporary files, once the output is complete. */
  tidy (): Promise<void>
  close (): Promise<void>
}

/** What is written for each answer. */
export interface Columns {
  /** The names of the values that rows can carry. */
  readonly carries: readonly string[]
  /** The fields of an answer, by the API's names; a part is `parts/NAME`. */
  readonly fields: readonly string[]
  /** Whether a field contains every step. */
  readonly sequences: boolean
}

/** The fields that have one vector per row; the others have one per step. */
export const STATES: readonly string[] = ['h_out', 'c_out', 'h_next']
