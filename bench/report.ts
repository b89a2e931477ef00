import { writeFile } from 'node:fs/promises'

/** A benchmark's report, one line of Markdown at a time. */
export interface Report {
  /** Prints a line, and keeps it. */
  say (line?: string): void
  /** Writes all lines to `bench/results/NAME.md`. */
  save (name: string): Promise<void>
}

export function createReport (): Report {
  const lines: string[] = []
  return {
    say (line = '') {
      console.log(line)
      lines.push(line)
    },
    async save (name) {
      await writeFile(new URL(`results/${name}.md`, import.meta.url), lines.join('\n') + '\n')
    }
  }
}
