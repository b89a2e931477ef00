import { createHash } from 'node:crypto'
import { open, readFile, rm, type FileHandle } from 'node:fs/promises'
import { EncodeError } from './encode-error.ts'
import type { Position } from './sources/source.ts'

/** What the answers come from. Whoever goes on with a file has to have the same. */
export type Identity = Readonly<Record<string, unknown>>

/** How far a file has come. */
export interface Mark {
  readonly next: Position
  /** Rows that have no answer. */
  readonly bad: number
  /** Where the output stands. */
  readonly output: unknown
}

/** A file beside the output: a line that says what the answers come from, and one for each window that is written. */
export interface Checkpoint {
  /** What was written before, in the order in which it was. */
  readonly marks: readonly Mark[]
  add (mark: Mark): Promise<void>
  /** Closes it, and leaves it for who goes on. */
  close (): Promise<void>
  /** Removes it: the output is whole. */
  remove (): Promise<void>
}

export function checkpointPath (output: string): string {
  return `${output}.checkpoint`
}

/**
 * Begins a checkpoint, or goes on with the one that is there.
 *
 * @throws EncodeError if that is broken, or of something else.
 */
export async function openCheckpoint (output: string, identity: Identity, resume: boolean): Promise<Checkpoint> {
  const path = checkpointPath(output)
  const { marks, length } = resume ? readMarks(await readFile(path), identity, path) : { marks: [], length: 0 }
  const file = await open(path, resume ? 'r+' : 'w')
  // A last line that is not whole is of a window that does not count.
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
    throw new EncodeError(`${path}: is broken; --overwrite begins anew`)
  }
  const now: Readonly<Record<string, unknown>> = JSON.parse(JSON.stringify(identity))
  for (const [name, value] of Object.entries(now)) {
    const [before, here] = [found[name], value].map((each) => JSON.stringify(each))
    if (before !== here) throw new EncodeError(`${path}: ${name} was ${before}, and is ${here} now; --overwrite begins anew`)
  }
  return { marks, length }
}

/** What tells a file from others of its name: its size, and a hash of its beginning, its middle and its end. */
export async function fingerprint (file: FileHandle, size: number): Promise<string> {
  const hash = createHash('sha256')
  for (const at of [0, Math.floor((size - PIECE) / 2), size - PIECE]) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(PIECE), 0, PIECE, Math.max(0, at))
    hash.update(buffer.subarray(0, bytesRead))
  }
  return `${size} bytes, ${hash.digest('hex').slice(0, 16)}`
}
const PIECE = 2 ** 16
