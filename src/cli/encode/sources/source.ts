import type { BadRow, Row } from '../row.ts'

/** A file of sequences. */
export interface Source {
  /** The names of what its rows may carry to their answers. */
  readonly carries: readonly string[]
  /** Bytes of the file. */
  readonly size: number
  /** How many rows it has, if that is known without reading them. */
  readonly rows: number | undefined
  /** How many rows it has; a file of text is read for that. */
  count (): Promise<number>
  /** Where a row begins. */
  seek (row: number): Promise<Position>
  /**
   * Reads rows, a window at a time.
   *
   * @param to the first row that is not wanted.
   * @throws EncodeError if the file itself is broken; what is wrong with a row stands in its place.
   */
  read (from: Position, to: number): AsyncGenerator<Window, void>
  close (): Promise<void>
}

/** Where a row begins: how many are before it, and, in a file of text, how many bytes. */
export interface Position {
  readonly row: number
  readonly byte: number
}

/** Rows that follow one another, and where those after them begin. */
export interface Window {
  readonly rows: ReadonlyArray<Row | BadRow>
  readonly next: Position
}

/** Rows of like length go well together, and among some thousands there are enough of each. */
export const WINDOW_ROWS = 4096
/** About the most bytes of a window; a longer row is one of its own. */
export const WINDOW_BYTES = 2 ** 24
/** The most bytes of one row. */
export const MAX_ROW = 2 ** 26

/** A row of a file of text: how many bytes it takes, and where the next one begins. */
export interface TextRow {
  readonly row: Row | BadRow
  readonly bytes: number
  readonly end: number
}

/**
 * Reads the rows of a file of text, a window at a time.
 *
 * @param pieces of the file, some at a time, from the place of the first row on.
 * @param read makes a row of a piece.
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
