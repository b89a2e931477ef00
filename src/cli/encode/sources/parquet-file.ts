import { read } from 'node:fs'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import type { AsyncBuffer, Compressors, FileMetaData, SchemaTree } from 'hyparquet'
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'

/** The layout of a Parquet file: the names of its columns, and where its row groups begin and end. */
export interface ParquetLayout {
  readonly names: readonly string[]
  readonly groups: ReadonlyArray<{ readonly begin: number, readonly end: number, readonly bytes: number }>
}

/** Rows to read, from these columns; `last` is not included. */
export interface ParquetRows {
  readonly columns: readonly string[]
  readonly first: number
  readonly last: number
}

/** A row by the names of its columns. */
export type ParquetRow = Readonly<Record<string, unknown>>

export interface ParquetFile {
  readonly layout: ParquetLayout
  rows (rows: ParquetRows): Promise<ParquetRow[]>
}

/** Missing in Node.js 20. */
const zstd: unknown = Reflect.get(zlib, 'zstdDecompressSync')

/** The codecs that the reader does not decompress itself. */
const compressors: Compressors = {
  GZIP: (input) => zlib.gunzipSync(input),
  BROTLI: (input) => zlib.brotliDecompressSync(input),
  ...(typeof zstd === 'function' && { ZSTD: (input) => zstd(input) })
}

/** @throws Error. A corrupt file can also crash the process: the library trusts the counts in a file. */
export async function openParquetFile (fd: number, size: number): Promise<ParquetFile> {
  const file: AsyncBuffer = { byteLength: size, slice: async (start, end = size) => await slice(fd, start, end) }
  const metadata = await parquetMetadataAsync(file)
  return {
    layout: layoutOf(metadata, parquetSchema(metadata)),
    rows: async ({ columns, first, last }) => await parquetReadObjects({ file, metadata, columns: [...columns], rowStart: first, rowEnd: last, compressors })
  }
}

const readAt = promisify(read)

async function slice (fd: number, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(end - start)
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await readAt(fd, bytes, at, bytes.length - at, start + at)
    if (bytesRead === 0) throw new Error(`it ends at byte ${start + at}`)
    at += bytesRead
  }
  return bytes.buffer
}

/** @throws Error if a row group's columns do not match the schema: the reader would drop columns. */
function layoutOf ({ row_groups: groups }: FileMetaData, { children }: SchemaTree): ParquetLayout {
  const leaves = children.flatMap(leavesOf).sort().join('\n')
  let end = 0
  return {
    names: children.map(({ element }) => element.name),
    groups: groups.map(({ num_rows: count, total_byte_size: bytes, columns }) => {
      const begin = end
      end += Number(count)
      if (!Number.isSafeInteger(end) || end < begin) throw new Error(`a row group has ${count} rows`)
      if (columns.map(({ meta_data: column }) => column?.path_in_schema.join('/')).sort().join('\n') !== leaves) throw new Error('a row group has other columns than the schema')
      return { begin, end, bytes: Number(bytes) }
    })
  }
}

/** The paths of the leaf columns under a column. */
function leavesOf ({ path, children }: SchemaTree): string[] {
  return children.length === 0 ? [path.join('/')] : children.flatMap(leavesOf)
}
