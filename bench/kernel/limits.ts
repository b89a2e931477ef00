import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Limits {
  /** Multiply-adds in registers, in 10^9 operations per second. */
  readonly gflops: number
  /** Reading the same bytes again and again, in 10^9 bytes per second. */
  readonly readGBs: number
}

/**
 * Creates a function that measures what the machine's cores can do at most. Without a C++ compiler, prints a line that says so and
 * returns undefined.
 */
export function createLimits (): ((bytes: number, threads?: number) => Limits) | undefined {
  const source = fileURLToPath(new URL('limits.cc', import.meta.url))
  const program = join(mkdtempSync(join(tmpdir(), 'cellserve-')), 'limits')
  try {
    const flags = ['-std=c++17', '-O3', '-march=native', '-ffp-contract=fast', '-pthread']
    execFileSync(process.env.CXX ?? 'c++', [...flags, source, '-o', program], { stdio: 'inherit' })
  } catch (error) {
    console.log(`The machine's limits are left out: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
  return (bytes, threads = 1) => {
    const answer: unknown = JSON.parse(execFileSync(program, [String(bytes), String(threads)], { encoding: 'utf8' }))
    if (typeof answer !== 'object' || answer === null || !('gflops' in answer) || !('readGBs' in answer)) throw new Error('limits answers otherwise')
    return { gflops: Number(answer.gflops), readGBs: Number(answer.readGBs) }
  }
}
