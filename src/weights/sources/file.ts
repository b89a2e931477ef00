import type { Stats } from 'node:fs'
import { lstat, readFile, stat } from 'node:fs/promises'

/**
 * Reads a whole file.
 *
 * @throws Error if it cannot be read, is not a regular file, or is a pointer to one that Git LFS has not fetched.
 */
export async function readWhole (path: string): Promise<Buffer> {
  // A FIFO would keep the reader waiting for a writer.
  const kind = kindOf(await stat(path))
  if (kind !== 'a file') throw new Error(`is ${kind}, expected a file`)
  const bytes = await readFile(path)
  if (bytes.subarray(0, LFS_POINTER.length).equals(LFS_POINTER)) {
    throw new Error('is a Git LFS pointer, not the file itself; `git lfs pull` fetches the file')
  }
  return bytes
}

const LFS_POINTER = Buffer.from('version https://git-lfs.github.com/spec/')

export type Kind = 'a file' | 'a folder' | 'a FIFO' | 'a socket' | 'a device'

/** What is at a path, in words. */
export function kindOf (found: Stats): Kind {
  if (found.isFile()) return 'a file'
  if (found.isDirectory()) return 'a folder'
  if (found.isFIFO()) return 'a FIFO'
  return found.isSocket() ? 'a socket' : 'a device'
}

/** A link counts, whatever it points to: a file that should exist and cannot be read is an error, not an absent file. */
export async function exists (path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

export function isErrno (error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
