import type { BadRow, Row } from '../row.ts'

/** A file of sequences. */
export interface Source {
  /** The names of the values that its rows can carry to their answers. */
  readonly carries: readonly string[]
  /** The file's size in bytes. */
  readonly size: number
  /** How many rows it has, if that is known without reading them. */
  readonly rows: number | undefined
  /** Counts the rows, which requires reading a text file to its end. */
  count (): Promise<number>
  /** Where a row begins. */
  seek (row: number): Promise<Position>
  /**
   * Reads rows, a window at a time.
   *
   * @param to the row to stop before.
   * @throws EncodeError if the file itself is broken; a broken row is returned as a `BadRow`.
   */
  read (from: Position, to: number): AsyncGenerator<Window, void>
  close (): Promise<void>
}

/** Where a row begins: how many rows come before it and, in a text file, how many bytes. */
export interface Position {
  readonly row: number
  readonly byte: number
}

/** Consecutive rows, and where the rows after them begin. */
export interface Window {
  readonly rows: ReadonlyArray<Row | BadRow>
  readonly next: Position
}

/** The most rows of a window. Rows of similar length are batched together, and a few thousand rows contain enough of each. */
export const WINDOW_ROWS = 4096
/** A window ends at about this many bytes; a longer row has a window of its own. */
export const WINDOW_BYTES = 2 ** 24
/** The most bytes of one row. */
export const MAX_ROW = 2 ** 26

/** A row of a text file, with its size in bytes and the offset of the next row. */
export interface TextRow {
  readonly row: Row | BadRow
  readonly bytes: number
  readonly end: number
}

/**
 * Reads the rows of a text file, a window at a time.
 *
 * @param pieces the file's pieces, in batches, beginning with the first row.
 * @param read turns a piece into a row.
 */
export async function * textWindows<T> (pieces: AsyncIterable<readonly T[]>, from: Position, to: number, read: (piece: T, number: number) => TextRow): AsyncGenerator<Window, void> {
  let next = from
  let rows: Array<Row | BadRow> = []
  let held = 0
  for await (const some of pieces) {
    for (const piece of some) {
      if (next.row >= to) break
      const { row, bytes, end } = read(piece, next.row)
      rows.push(row)
      held += bytes
      next = { row: next.row + 1, byte: end }
      if (rows.length < WINDOW_ROWS && held < WINDOW_BYTES) continue
      yield { rows, next }
      rows = []
      held = 0
    }
    if (next.row >= to) break
  }
  if (rows.length > 0) yield { rows, next }
}
