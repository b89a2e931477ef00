/**
 * Reads the Parquet file that is open as descriptor 3, of as many bytes as its argument says, for another process. It sends the
 * file's layout, and then rows as it is asked for them. A spoilt file may end it: the library trusts the counts in a page.
 */
import { openParquetFile, type ParquetLayout, type ParquetRow, type ParquetRows } from './parquet-file.ts'

/** What it sends: what it was asked for, or what is wrong. */
export type Sent = { readonly layout: ParquetLayout } | { readonly rows: readonly ParquetRow[] } | { readonly fault: string }

const FILE = 3

const send = (sent: Sent): void => { process.send?.(sent) }
/** What the library says; what it stumbles over by itself is nothing that people know, and as good as its end. */
function sendFault (error: unknown): void {
  if (error instanceof Error && error.constructor === Error) send({ fault: error.message })
  else process.exit(1)
}

// Ctrl-C is for the process that asks.
process.on('SIGINT', () => {})

await openParquetFile(FILE, Number(process.argv[2])).then((file) => {
  process.on('message', (rows: ParquetRows) => { file.rows(rows).then((rows) => send({ rows }), sendFault) })
  send({ layout: file.layout })
}, sendFault)
