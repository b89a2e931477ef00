import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { deserialize } from 'node:v8'
import { ImportError } from '../import-error.ts'
import type { Hdf5Contents } from './hdf5-contents.ts'

export type { Hdf5Contents }

const CHILD = fileURLToPath(new URL(`./hdf5-child${extname(import.meta.url)}`, import.meta.url))

/** How long reading may take, in milliseconds: some for the start, the rest for what a file holds. */
const START = 5000
const BYTES_PER_MILLISECOND = 5000

/**
 * Reads an HDF5 file, in a process of its own.
 *
 * @throws ImportError if it is none, is broken, or takes too long.
 */
export async function readHdf5 (bytes: Uint8Array): Promise<Hdf5Contents> {
  const child = spawn(process.execPath, [...process.execArgv, CHILD], { stdio: ['pipe', 'pipe', 'pipe'], timeout: START + Math.ceil(bytes.byteLength / BYTES_PER_MILLISECOND), killSignal: 'SIGKILL' })
  // A process that ends early does not read on.
  child.stdin.on('error', () => {})
  child.stdin.end(bytes)
  const [contents, fault, [code]] = await Promise.all([buffer(child.stdout), text(child.stderr), once(child, 'close')])
  if (code === 0) return deserialize(contents)
  throw new ImportError(`is not an HDF5 file that can be read: ${code === null ? 'its parts lead in circles' : reasonOf(fault)}`)
}

/** The library tells a stack of reasons, the last of which is the first that happened. */
function reasonOf (fault: string): string {
  const reasons = [...fault.matchAll(/\(\): (.+)/g)]
  return reasons.at(-1)?.[1] ?? fault
}
