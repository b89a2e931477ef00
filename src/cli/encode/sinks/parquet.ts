import type { RowGroup, SchemaElement } from 'hyparquet'
import { loadParquet } from '../library.ts'
import { nameOf, type Answer } from '../row.ts'
import { EncodeError } from '../encode-error.ts'
import { OutputFile } from './output-file.ts'
import { STATES, type Columns, type Sink } from './sink.ts'

/**
 * One column per field: a list of float32, or a list of such lists if the field has steps. Carried values are text. Each `write` is
 * a row group. Rows without an answer are left out.
 *
 * @throws Error from the file system.
 */
export async function openParquetSink (path: string, states: readonly unknown[] | undefined, { carries, fields }: Columns): Promise<Sink> {
  const { ByteWriter, ParquetWriter } = await loadParquet(() => import('hyparquet-writer'))
  const saved = states?.map((state): State => Object(state)) ?? []
  const file = await OutputFile.open(path, states === undefined ? undefined : saved.at(-1)?.bytes ?? 0)
  const bytes = new ByteWriter()
  const schema: SchemaElement[] = [
    { name: 'root', num_children: carries.length + fields.length },
    ...carries.map((name): SchemaElement => ({ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' })),
    ...fields.flatMap((name) => listOf(name, STATES.includes(name) ? 1 : 2))
  ]
  // A network's numbers do not compress.
  const writer = new ParquetWriter({ writer: bytes, schema, codec: 'UNCOMPRESSED', statistics: false, createdBy: 'cellserve' })
  writer.row_groups.push(...saved.flatMap(({ group }) => group === undefined ? [] : [revive(group)]))
  writer.num_rows = writer.row_groups.reduce((sum, { num_rows: rows }) => sum + rows, 0n)
  if (file.length > 0) {
    // The file already begins with the magic number.
    bytes.index = 0
    bytes.offset = file.length
  }
  let kept = file.length

  async function flush (): Promise<void> {
    await file.append(new Uint8Array(bytes.buffer, 0, bytes.index))
    bytes.index = 0
  }

  return {
    async write (answers) {
      const good = answers.filter((answer): answer is Answer => !('fault' in answer))
      const before = writer.row_groups.length
      if (good.length > 0) {
        await writer.write({
          rowGroupSize: good.length,
          columnData: [
            ...carries.map((name) => ({ name, data: good.map(({ carried }) => textOf(carried[name])), offsetIndex: false })),
            ...fields.map((name) => ({ name, data: good.map((answer) => nestOf(answer, name)), offsetIndex: false }))
          ]
        })
      }
      // No page indexes are written.
      writer.pendingIndexes.length = 0
      await flush()
      await file.sync()
      kept = file.length
      const group = writer.row_groups.at(before)
      const state: State = { bytes: kept, ...(group && { group: plain(group) }) }
      return state
    },

    rollBack: async () => { await file.cut(kept) },

    async finish () {
      await writer.finish()
      await flush()
      await file.sync()
    },

    tidy: async () => {},
    close: async () => { await file.close() }
  }
}

interface State {
  readonly bytes: number
  /** The metadata of the row group, for the file's footer. */
  readonly group?: string
}

/** Nested lists, as Parquet's specification defines them. */
function listOf (name: string, depth: number): SchemaElement[] {
  const list: SchemaElement = { name, converted_type: 'LIST', num_children: 1, repetition_type: 'REQUIRED' }
  const entries: SchemaElement = { name: 'list', num_children: 1, repetition_type: 'REPEATED' }
  return [list, entries, ...depth > 1 ? listOf('element', depth - 1) : [{ name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' } as const]]
}

function nestOf (answer: Answer, name: string): unknown[] {
  const { rank, shape, data } = answer.fields[name]
  if (rank === 1) return Array.from(data)
  if (rank !== 2) throw new EncodeError(`${nameOf(answer)}: its ${name} has ${rank} dimensions`)
  const [entries, width] = shape
  return Array.from({ length: entries }, (_, t) => Array.from(data.subarray(t * width, (t + 1) * width)))
}

function textOf (value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : typeof value === 'string' ? value : JSON.stringify(value)
}

/** A row group as JSON. Its counts are bigints, which JSON cannot represent. */
function plain (group: RowGroup): string {
  return JSON.stringify(group, (_, value: unknown) => typeof value === 'bigint' ? { bigint: String(value) } : value)
}

function revive (text: string): RowGroup {
  return JSON.parse(text, (_, value: unknown) => typeof value === 'object' && value !== null && 'bigint' in value ? BigInt(String(value.bigint)) : value)
}
