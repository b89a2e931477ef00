import type { Answer, BadRow } from '../row.ts'
import { OutputFile } from './output-file.ts'
import type { Sink } from './sink.ts'

/** Formats some answers as lines; `first` if nothing was written before. */
export type WriteLines = (answers: ReadonlyArray<Answer | BadRow>, first: boolean) => string

/** A file of lines. It is complete after each `write`. */
export async function openText (path: string, states: readonly unknown[] | undefined, lines: WriteLines): Promise<Sink> {
  const { bytes = 0 }: { bytes?: number } = Object(states?.at(-1))
  const file = await OutputFile.open(path, states === undefined ? undefined : bytes)
  let kept = file.length
  return {
    async write (answers) {
      await file.append(Buffer.from(lines(answers, file.length === 0)))
      await file.sync()
      kept = file.length
      return { bytes: kept }
    },
    rollBack: async () => { await file.cut(kept) },
    finish: async () => {},
    tidy: async () => {},
    close: async () => { await file.close() }
  }
}
