import type { Format } from '../formats.ts'
import { csvLines } from './csv.ts'
import { ndjsonLines } from './ndjson.ts'
import { openParquetSink } from './parquet.ts'
import { openSafetensorsSink } from './safetensors.ts'
import type { Columns, Sink } from './sink.ts'
import { openText } from './text.ts'

/**
 * Opens a file for answers.
 *
 * @param states what the earlier writes returned, to resume an existing file; undefined for a new one.
 * @throws Error from the file system; EncodeError if the fields do not fit the format.
 */
export async function openSink (path: string, format: Format, states: readonly unknown[] | undefined, columns: Columns): Promise<Sink> {
  switch (format) {
    case 'ndjson': return await openText(path, states, ndjsonLines())
    case 'csv': return await openText(path, states, csvLines(columns))
    case 'safetensors': return await openSafetensorsSink(path, states, columns)
    case 'parquet': return await openParquetSink(path, states, columns)
  }
}
