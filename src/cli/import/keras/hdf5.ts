import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ImportError } from '../import-error.ts'
import { STARTED, type Hdf5Contents } from './hdf5-contents.ts'
import { receive } from './hdf5-messages.ts'

export type { Hdf5Contents }

const CHILD = fileURLToPath(new URL(`./hdf5-child${extname(import.meta.url)}`, import.meta.url))

/** Time limits in milliseconds: for the library's start on a busy machine, then for reading a file. */
const START = 60_000
const READ = 8000
const BYTES_PER_MILLISECOND = 5000

/**
 * Reads an HDF5 file in a separate process.
 *
 * @param read receives the share of the file that is read, from 0 to 1.
 * @throws ImportError if the file is not HDF5, is broken, or takes too long.
 */
export async function readHdf5 (bytes: Uint8Array, read: (share: number) => void): Promise<Hdf5Contents> {
  const child = spawn(process.execPath, [...process.execArgv, CHILD, String(bytes.byteLength)], { stdio: ['pipe', 'pipe', 'pipe'] })
  const end = (): void => { child.kill('SIGKILL') }
  let timer = setTimeout(end, START)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    said += part
    if (said !== STARTED) return
    clearTimeout(timer)
    timer = setTimeout(end, READ + Math.ceil(bytes.byteLength / BYTES_PER_MILLISECOND))
  })
  // If the process ends early, writing to it fails.
  child.stdin.on('error', () => {})
  child.stdin.end(bytes)
  // The output of a failed process is useless; its exit code says why it failed.
  const [contents, [code]] = await Promise.all([receive(child.stdout, (received) => read(received / bytes.byteLength)).catch(() => undefined), once(child, 'close')])
  clearTimeout(timer)
  if (code === 0 && contents !== undefined) return contents
  throw new ImportError(`is not an HDF5 file that can be read: ${code === null ? 'reading it takes too long; its parts may refer to each other in circles' : reasonOf(said.replace(STARTED, ''))}`)
}

/** The library reports a stack of errors, of which the last is the original cause. */
function reasonOf (fault: string): string {
  const reasons = [...fault.matchAll(/\(\): (.+)/g)]
  return reasons.at(-1)?.[1] ?? fault
}
