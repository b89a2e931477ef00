import { unlink } from 'node:fs/promises'
import { encodeFloats } from '../../../tensor/dtypes.ts'
import { EncodeError } from '../encode-error.ts'
import { nameOf, type Answer, type BadRow } from '../row.ts'
import { OutputFile } from './output-file.ts'
import { STATES, type Columns, type Sink } from './sink.ts'

/** A tensor of the file while it grows. */
interface Column {
  readonly name: string
  readonly dtype: 'F32' | 'I64'
  /** The sizes after the first; unknown before the first answer. */
  inner: readonly number[] | undefined
  /** Its first size. */
  entries: number
}

const PREFIX = 8
const LENGTHS = 'lengths'

/**
 * One tensor per field: `h_out` `[N][Ho]`, `output` `[N][1][Ho]`; with every step `[S][Ho]`, all rows one after the other, and
 * `lengths` `[N]`. The first tensor grows in the file itself, after space reserved for a header. The others grow in files next to
 * it until everything is written, because their lengths are unknown before that.
 *
 * @throws Error from the file system.
 */
export async function openSafetensorsSink (path: string, states: readonly unknown[] | undefined, { fields, sequences }: Columns): Promise<Sink> {
  const stepwise = sequences && fields.some((field) => !STATES.includes(field))
  // The longest tensors come first, so that they need not be copied.
  const names = fields.toSorted((a, b) => Number(STATES.includes(a)) - Number(STATES.includes(b)))
  const columns: Column[] = names.map((name) => ({ name, dtype: 'F32', inner: undefined, entries: 0 }))
  if (stepwise) columns.push({ name: LENGTHS, dtype: 'I64', inner: [], entries: 0 })
  const room = roomFor(columns)
  const { lengths, shapes }: { lengths?: readonly number[], shapes?: ReadonlyArray<readonly number[] | null> } = Object(states?.at(-1))
  columns.forEach((column, k) => {
    const [entries, ...inner] = shapes?.[k] ?? []
    if (entries === undefined) return
    column.entries = entries
    column.inner = inner
  })
  const files: OutputFile[] = []
  try {
    for (const k of columns.keys()) files.push(await OutputFile.open(k === 0 ? path : `${path}.part${k}`, states === undefined ? undefined : lengths?.[k] ?? 0))
    if (files[0].length < room) await files[0].append(new Uint8Array(room - files[0].length))
  } catch (error) {
    await Promise.all(files.map(async (file) => { await file.close() }))
    throw error
  }
  let kept = files.map(({ length }) => length)
  let keptEntries = columns.map(({ entries }) => entries)

  function bytesOf (column: Column, answers: readonly Answer[]): Uint8Array[] {
    if (column.name === LENGTHS) {
      column.entries += answers.length
      return [new Uint8Array(BigInt64Array.from(answers, ({ length }) => BigInt(length)).buffer)]
    }
    return answers.map((answer) => {
      const { shape, data } = answer.fields[column.name]
      const flat = stepwise && !STATES.includes(column.name)
      const inner = flat ? shape.slice(1) : shape
      column.inner ??= inner
      if (column.inner.some((size, axis) => size !== inner[axis])) throw new EncodeError(`${nameOf(answer)}: its ${column.name} has ${inner.join(' x ')} numbers, but in earlier rows ${column.inner.join(' x ')}: choose another format`)
      column.entries += flat ? shape[0] : 1
      return encodeFloats(data)
    })
  }

  return {
    async write (answers) {
      const good = answers.map(asAnswer)
      for (const [k, column] of columns.entries()) await files[k].append(Buffer.concat(bytesOf(column, good)))
      for (const file of files) await file.sync()
      kept = files.map(({ length }) => length)
      keptEntries = columns.map(({ entries }) => entries)
      return { lengths: kept, shapes: columns.map(({ entries, inner }) => inner === undefined ? null : [entries, ...inner]) }
    },

    async rollBack () {
      for (const [k, file] of files.entries()) await file.cut(kept[k])
      columns.forEach((column, k) => { column.entries = keptEntries[k] })
    },

    async finish () {
      const [main, ...others] = files
      await main.writeAt(0, headerOf(columns, room))
      for (const file of others) await main.appendFile(file)
      await main.sync()
    },

    async tidy () {
      for (const { path } of files.slice(1)) await unlink(path)
    },

    close: async () => { await Promise.all(files.map(async (file) => { await file.close() })) }
  }
}

/** Concatenated rows cannot represent a missing row. */
function asAnswer (answer: Answer | BadRow): Answer {
  if ('fault' in answer) throw new EncodeError(`${nameOf(answer)}: ${answer.fault}`)
  return answer
}

/** The bytes before the data: enough for the header, whatever the final sizes are. */
function roomFor (columns: readonly Column[]): number {
  const longest = columns.reduce((sum, { name }) => sum + Buffer.byteLength(JSON.stringify(name)) + LONGEST_ENTRY, 2)
  return PREFIX + Math.ceil(longest / PREFIX) * PREFIX
}
/** `:{"dtype":"F32","shape":[],"data_offsets":[,]},` and five numbers of at most 16 digits with their commas. */
const LONGEST_ENTRY = 140

function headerOf (columns: readonly Column[], room: number): Buffer {
  let at = 0
  const entries = columns.map(({ name, dtype, inner, entries }): [string, object] => {
    const shape = inner === undefined ? [0] : [entries, ...inner]
    const begin = at
    at += shape.reduce((a, b) => a * b, dtype === 'F32' ? 4 : 8)
    return [name, { dtype, shape, data_offsets: [begin, at] }]
  })
  const head = Buffer.alloc(room, ' ')
  head.writeBigUInt64LE(BigInt(room - PREFIX))
  head.write(JSON.stringify(Object.fromEntries(entries)), PREFIX)
  return head
}
