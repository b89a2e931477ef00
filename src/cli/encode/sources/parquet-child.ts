/**
 * Reads a Parquet file for the parent process. The file is open as descriptor 3, and the argument is its size in bytes. Sends the
 * file's layout, then rows on request. A corrupt file can crash this process, because the library trusts the counts in a page.
 */
import { openParquetFile, type ParquetLayout, type ParquetRow, type ParquetRows } from './parquet-file.ts'

/** A message to the parent: what it asked for, or what is wrong. */
export type Sent = { readonly layout: ParquetLayout } | { readonly rows: readonly ParquetRow[] } | { readonly fault: string }

const FILE = 3

const send = (sent: Sent): void => { process.send?.(sent) }
/**
 * Reports the library's own errors. Its internal failures, such as a TypeError, would mean nothing to a user and are treated like a
 * crash.
 */
function sendFault (error: unknown): void {
  if (error instanceof Error && error.constructor === Error) send({ fault: error.message })
  else process.exit(1)
}

// The parent handles Ctrl-C.
process.on('SIGINT', () => {})

await openParquetFile(FILE, Number(process.argv[2])).then((file) => {
  process.on('message', (rows: ParquetRows) => { file.rows(rows).then((rows) => send({ rows }), sendFault) })
  send({ layout: file.layout })
}, sendFault)
