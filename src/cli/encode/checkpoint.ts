import { createHash } from 'node:crypto'
import { open, readFile, rm, type FileHandle } from 'node:fs/promises'
import { EncodeError } from './encode-error.ts'
import type { Position } from './sources/source.ts'

/** What the answers were computed from. Resuming requires the same identity. */
export type Identity = Readonly<Record<string, unknown>>

/** How far the work on a file has progressed. */
export interface Mark {
  readonly next: Position
  /** Rows that have no answer. */
  readonly bad: number
  /** The state of the output, as `Sink.write` returned it. */
  readonly output: unknown
}

/** A file next to the output: one line with the identity, then one line per written window. */
export interface Checkpoint {
  /** The marks of earlier runs, in the order of writing. */
  readonly marks: readonly Mark[]
  add (mark: Mark): Promise<void>
  /** Closes the file and keeps it, so that a later run can resume. */
  close (): Promise<void>
  /** Removes the file, once the output is complete. */
  remove (): Promise<void>
}

export function checkpointPath (output: string): string {
  return `${output}.checkpoint`
}

/**
 * Begins a checkpoint, or continues the existing one.
 *
 * @throws EncodeError if the existing one is broken, or has another identity.
 */
export async function openCheckpoint (output: string, identity: Identity, resume: boolean): Promise<Checkpoint> {
  const path = checkpointPath(output)
  const { marks, length } = resume ? readMarks(await readFile(path), identity, path) : { marks: [], length: 0 }
  const file = await open(path, resume ? 'r+' : 'w')
  // An incomplete last line belongs to a window that was not finished.
  await file.truncate(length)
  let at = length
  if (!resume) at = await append(file, identity, at)
  return {
    marks,
    async add (mark) { at = await append(file, mark, at) },
    close: async () => { await file.close() },
    async remove () {
      await file.close()
      await rm(path, { force: true })
    }
  }
}

async function append (file: FileHandle, line: object, at: number): Promise<number> {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
  await file.write(bytes, 0, bytes.length, at)
  await file.datasync()
  return at + bytes.length
}

function readMarks (bytes: Buffer, identity: Identity, path: string): { marks: Mark[], length: number } {
  const length = bytes.lastIndexOf('\n') + 1
  const [first, ...lines] = bytes.toString('utf8', 0, length).split('\n').slice(0, -1)
  let marks: Mark[]
  let found: Readonly<Record<string, unknown>>
  try {
    found = JSON.parse(first)
    marks = lines.map((line): Mark => JSON.parse(line))
  } catch {
    throw new EncodeError(`${path}: is damaged; --overwrite starts over`)
  }
  const now: Readonly<Record<string, unknown>> = JSON.parse(JSON.stringify(identity))
  for (const [name, value] of Object.entries(now)) {
    const [before, here] = [found[name], value].map((each) => JSON.stringify(each))
    if (before !== here) throw new EncodeError(`${path}: ${name} was ${before}, and is ${here} now; --overwrite starts over`)
  }
  return { marks, length }
}

/** Identifies a file's content: its size, and a hash of pieces from its beginning, middle and end. */
export async function fingerprint (file: FileHandle, size: number): Promise<string> {
  const hash = createHash('sha256')
  for (const at of [0, Math.floor((size - PIECE) / 2), size - PIECE]) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(PIECE), 0, PIECE, Math.max(0, at))
    hash.update(buffer.subarray(0, bytesRead))
  }
  return `${size} bytes, ${hash.digest('hex').slice(0, 16)}`
}
const PIECE = 2 ** 16
