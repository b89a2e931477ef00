import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { FileHandle } from 'node:fs/promises'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EncodeError } from '../encode-error.ts'
import { loadParquet } from '../library.ts'
import type { Sent } from './parquet-child.ts'
import type { ParquetLayout, ParquetRow, ParquetRows } from './parquet-file.ts'

/** A Parquet file, read by a separate process. */
export interface ParquetReader {
  readonly layout: ParquetLayout
  /** One call at a time. @throws Error that says why the rows cannot be read */
  rows (rows: ParquetRows): Promise<readonly ParquetRow[]>
  end (): void
}

const CHILD = fileURLToPath(new URL(`./parquet-child${extname(import.meta.url)}`, import.meta.url))

/** The time limit for one call, in milliseconds: a corrupt file can make the library loop forever. */
const LONGEST = 300_000

/**
 * Starts the process that reads a file.
 *
 * @throws EncodeError if the library is not installed, or the file is not Parquet.
 */
export async function startParquet ({ fd }: FileHandle, size: number): Promise<ParquetReader> {
  await loadParquet(() => import('hyparquet'))
  const child = spawn(process.execPath, [...process.execArgv, CHILD, String(size)], { stdio: ['ignore', 'ignore', 'ignore', fd, 'ipc'], serialization: 'advanced' })
  const exited = once(child, 'exit')

  async function receive (): Promise<Sent> {
    const timer = setTimeout(() => child.kill('SIGKILL'), LONGEST)
    const message = once(child, 'message')
    message.catch(() => {})
    try {
      const [sent]: Sent[] = await Promise.race([message, exited.then(() => [{ fault: 'its bytes are not what they should be' }])])
      return sent
    } finally {
      clearTimeout(timer)
    }
  }

  const end = (): void => { child.kill('SIGKILL') }
  const first = await receive()
  if (!('layout' in first)) {
    end()
    throw new EncodeError(`is not a Parquet file, or is truncated: ${'fault' in first ? first.fault : 'it has no layout'}`)
  }
  return {
    layout: first.layout,
    async rows (rows) {
      child.send(rows)
      const sent = await receive()
      if ('rows' in sent) return sent.rows
      throw new Error('fault' in sent ? sent.fault : 'they were not sent')
    },
    end
  }
}
