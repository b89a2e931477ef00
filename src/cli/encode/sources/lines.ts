import type { FileHandle } from 'node:fs/promises'
import { EncodeError } from '../encode-error.ts'
import { MAX_ROW } from './source.ts'

/** A line of a file, without its line ending. */
export interface Line {
  readonly bytes: Buffer
  /** Byte offset of the next line. */
  readonly end: number
  /** Whether the line is terminated, and not cut off by the end of the file. */
  readonly ended: boolean
}

const CHUNK = 2 ** 20
const NEWLINE = 0x0a
const RETURN = 0x0d

/**
 * Reads the lines of a file from a byte offset on, in batches.
 *
 * @throws EncodeError if a line is too long to hold.
 */
export async function * readLines (file: FileHandle, from: number): AsyncGenerator<Line[], void> {
  /** The beginning of a line whose end has not been read yet. */
  let pieces: Buffer[] = []
  let held = 0
  for (let at = from; ;) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, at)
    if (bytesRead === 0) break
    const lines: Line[] = []
    let begin = 0
    for (let end = buffer.indexOf(NEWLINE); end >= 0 && end < bytesRead; end = buffer.indexOf(NEWLINE, begin)) {
      const last = buffer.subarray(begin, end)
      begin = end + 1
      lines.push({ bytes: trimReturn(held === 0 ? last : Buffer.concat([...pieces, last])), end: at + begin, ended: true })
      pieces = []
      held = 0
    }
    if (begin < bytesRead) {
      pieces.push(buffer.subarray(begin, bytesRead))
      held += bytesRead - begin
      if (held > MAX_ROW) throw new EncodeError(`the line at byte ${at + bytesRead - held} is longer than the ${MAX_ROW} bytes allowed`)
    }
    at += bytesRead
    if (lines.length > 0) yield lines
  }
  const bytes = Buffer.concat(pieces)
  if (bytes.length > 0) yield [{ bytes: trimReturn(bytes), end: Infinity, ended: false }]
}

function trimReturn (bytes: Buffer): Buffer {
  return bytes[bytes.length - 1] === RETURN ? bytes.subarray(0, -1) : bytes
}
