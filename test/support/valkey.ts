import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Closing } from './closing.ts'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

const program = ['valkey-server', 'redis-server'].find((name) => spawnSync(name, ['--version']).status === 0)

/** Options of tests that need a server. */
export const withValkey: { readonly skip: string | false } = { skip: program === undefined && 'neither valkey-server nor redis-server is installed; Debian has both' }

/** A test's own Valkey or Redis server. */
export interface ValkeyServer {
  readonly port: number
  readonly url: string
  /** Signals the server: SIGKILL is like a crash; with SIGSTOP it accepts connections but answers nothing. */
  signal (name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>
  /** Restarts it after SIGKILL, on the same port, with what it had written. */
  restart (): Promise<void>
  /** Sends a command, and returns the raw answer. */
  command (...words: readonly string[]): Promise<string>
  /** Sends several commands over one connection, and returns the last answer. */
  commands (...all: ReadonlyArray<readonly string[]>): Promise<string>
}

/** Starts a server on a free port. It writes no files unless `--appendonly yes` is given. */
export async function startValkey (t: Closing, ...flags: readonly string[]): Promise<ValkeyServer> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-valkey-'))
  let child: ChildProcess | undefined
  t.after(async () => {
    await signal('SIGKILL')
    await rm(folder, { recursive: true })
  })
  await launch()

  async function launch (): Promise<void> {
    child = spawn(program ?? '', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder, ...flags], { stdio: 'ignore' })
    await until(async () => /PONG|NOAUTH/.test(await command('PING').catch(() => '')), 'a Valkey server')
  }

  async function commands (...all: ReadonlyArray<readonly string[]>): Promise<string> {
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(10_000, () => { socket.destroy(new Error('no answer')) })
    let answer = ''
    try {
      for (const words of all) {
        socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`)
        const [chunk]: unknown[] = await once(socket, 'data')
        answer = String(chunk)
      }
      return answer
    } finally {
      socket.destroy()
    }
  }
  async function command (...words: readonly string[]): Promise<string> {
    return await commands(words)
  }

  async function signal (name: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(name)
    if (name === 'SIGKILL') await ended
  }
  return { port, url: `redis://127.0.0.1:${port}`, signal, restart: launch, command, commands }
}
