import { spawn, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'

export interface Running {
  readonly pid: number | undefined
  /** Resolves with the captures of the first line that matches; rejects if the process ends first. */
  line (pattern: RegExp): Promise<string>
  stop (signal?: NodeJS.Signals): void
  /** Settles once the process itself has ended; processes that it has started may continue. */
  readonly exited: Promise<unknown>
  readonly ended: Promise<{ code: number | null, stdout: string, stderr: string }>
}

/** Starts a process that ends with its test; if `detached`, the processes that it has started end too. */
export function start (t: Pick<TestContext, 'after'>, command: string, args: readonly string[], options: Pick<SpawnOptions, 'cwd' | 'env' | 'detached'> = {}): Running {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => { stdout += String(chunk) })
  child.stderr.on('data', (chunk) => { stderr += String(chunk) })
  const exited = once(child, 'exit')
  const ended = once(child, 'close').then(([code]: Array<number | null>) => ({ code, stdout, stderr }))
  t.after(async () => {
    if (options.detached === true && child.pid !== undefined) killGroup(child.pid)
    else child.kill('SIGKILL')
    await ended
  })
  return {
    pid: child.pid,
    exited,
    ended,
    stop: (signal = 'SIGTERM') => { child.kill(signal) },
    async line (pattern) {
      for (;;) {
        const match = pattern.exec(stdout)
        if (match !== null) return match[1] ?? match[0]
        await Promise.race([once(child.stdout, 'data'), ended.then(() => { throw new Error(`ended: ${stdout}${stderr}`) })])
      }
    }
  }
}

function killGroup (leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // the whole group has ended
  }
}

/** Starts the service as a process. */
export function run (t: Pick<TestContext, 'after'>, ...args: string[]): Running {
  return start(t, process.execPath, ['dist/main.js', ...args])
}

/** Matches the log line with the address that the service listens on. */
export const ADDRESS = /Server listening at (http:\/\/[\d.:]+)/
