import { execFile, spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Closing } from './closing.ts'

const run = promisify(execFile)

/** A folder in which a page's commands generate a client from a committed document, and a program uses it. */
export interface Project {
  write (name: string, text: string): Promise<void>
  /** Runs a command as a reader would, and returns what it prints. */
  run (command: string, env?: NodeJS.ProcessEnv): Promise<string>
}

export async function project (t: Closing, document: 'openapi/openapi.json' | 'openapi/openapi-3.0.json'): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-client-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await copyFile(resolve(document), join(folder, basename(document)))
  return {
    async write (name, text) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    },
    run: async (command, env) => (await run('sh', ['-c', command], { cwd: folder, env: { ...process.env, ...env } })).stdout
  }
}

/** Why a test is skipped, or false: a program that it needs is not installed. */
export function lacks (program: string, ...flags: readonly string[]): string | false {
  return spawnSync(program, flags).status === 0 ? false : `takes ${program}`
}
