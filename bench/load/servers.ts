import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { messageOf } from '../../src/errors.ts'

/** A server under load, in a separate process. */
export interface Server {
  readonly name: string
  readonly port: number
  readonly pid: number
  /** Resident memory, in MiB. */
  memory (): Promise<number>
  /** The CPU time that it has used, in seconds. */
  cpu (): Promise<number>
  /** Signals its processes, if there are several. */
  signal (name: 'SIGSTOP' | 'SIGCONT'): void
  stop (): Promise<void>
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const BARE = fileURLToPath(new URL('../start/bare.mjs', import.meta.url))
const ECHO = fileURLToPath(new URL('../wire/echo.ts', import.meta.url))

/** The core to pin the server to, if any. */
export interface Place {
  readonly core?: number
}

interface Options extends Place {
  /** Whether the server has several processes that it does not end itself: they then form a group, which is killed. */
  readonly group?: boolean
}

/** cellserve itself, as `npm start` runs it. */
export async function startCellserve (name: string, models: string, flags: readonly string[] = [], place: Place = {}): Promise<Server> {
  return await start(name, process.execPath, [MAIN, '--models', models, '--port', '0', ...flags], /listening at http:\/\/127\.0\.0\.1:(\d+)/, place)
}

/** FastAPI, uvicorn, orjson and torch.nn.LSTMCell: what our users would write instead. */
export async function startPeer (python: string, models: string, units: readonly number[], place: Place = {}): Promise<Server> {
  return await startPython('FastAPI + PyTorch', python, 'serve_fastapi.py', [models, ...units.map(String)], place)
}

/** The same with the Python of TEST_PYTHON. If it does not start, prints why. */
export async function tryPeer (models: string, units: readonly number[], place: Place = {}): Promise<Server | undefined> {
  const python = process.env.TEST_PYTHON
  let reason = 'TEST_PYTHON is not set'
  try {
    if (python !== undefined) return await startPeer(python, models, units, place)
  } catch (error) {
    reason = messageOf(error)
  }
  console.log(`FastAPI + PyTorch is left out: ${reason}`)
  return undefined
}

/** LitServe, which computes up to `batch` requests together; one by default. */
export async function startLitServe (python: string, models: string, units: number, batch?: number): Promise<Server> {
  const name = `LitServe + PyTorch${batch === undefined ? '' : `, batches of up to ${batch}`}`
  return await startPython(name, python, 'serve_litserve.py', [models, String(units), ...(batch === undefined ? [] : [String(batch)])], { group: true })
}

/** MLServer, which speaks the Open Inference Protocol. */
export async function startMLServer (python: string, models: string, units: readonly number[]): Promise<Server> {
  return await startPython('MLServer + PyTorch', python, 'serve_mlserver.py', [models, ...units.map(String)], {})
}

async function startPython (name: string, python: string, program: string, args: string[], options: Options): Promise<Server> {
  return await start(name, python, [fileURLToPath(new URL(`peers/${program}`, import.meta.url)), ...args], /listening on (\d+)/, options)
}

/** Fastify, or Node.js alone, with nothing to do. */
export async function startEcho (kind: 'fastify' | 'http', place: Place = {}): Promise<Server> {
  return await start(`bare ${kind}`, process.execPath, ['--import', 'tsx', ECHO, kind], /listening on (\d+)/, place)
}

/** The same without the benchmarks' routes and without a compiler in front, to measure the cost of a start. */
export async function startBare (kind: 'fastify' | 'http'): Promise<Server> {
  return await start(`bare ${kind}`, process.execPath, [BARE, kind], /listening on (\d+)/, {})
}

/** Functions that end the servers that still run. */
const running = new Set<() => void>()
// A benchmark that fails leaves no servers behind.
process.on('exit', () => { for (const end of running) end() })

async function start (name: string, program: string, options: string[], ready: RegExp, { core, group = false }: Options): Promise<Server> {
  const [command, ...args] = [...(core === undefined ? [] : ['taskset', '-c', String(core)]), program, ...options]
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: group })
  const pid = child.pid ?? 0
  const signal = (name: NodeJS.Signals): void => { process.kill(group ? -pid : pid, name) }
  const end = (): void => { signal('SIGKILL') }
  // A program that does not exist has no process to end.
  child.once('spawn', () => { running.add(end) })
  child.once('exit', () => { running.delete(end) })
  const port = await portOf(child, ready)
  return {
    name,
    port,
    pid,
    signal,
    async memory () {
      const ps = spawn('ps', ['-o', 'rss=', '-p', String(child.pid)], { stdio: ['ignore', 'pipe', 'inherit'] })
      let text = ''
      ps.stdout.on('data', (chunk) => { text += String(chunk) })
      await once(ps, 'close')
      return Number(text) / 1024
    },
    async cpu () {
      // After the name, which can contain spaces, utime and stime are the 12th and 13th fields, in hundredths of a second.
      const [, rest] = /\) (.*)/.exec(await readFile(`/proc/${child.pid}/stat`, 'utf8')) ?? []
      const [user, system] = (rest ?? '').split(' ').slice(11, 13).map(Number)
      return (user + system) / 100
    },
    async stop () {
      signal(group ? 'SIGKILL' : 'SIGTERM')
      await once(child, 'exit')
    }
  }
}

async function portOf (child: ChildProcess, ready: RegExp): Promise<number> {
  let text = ''
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => { reject(new Error(`the server ended${text === '' ? '' : `: ${text}`}`)) })
    child.stdout?.on('data', (chunk) => {
      text += String(chunk)
      const port = ready.exec(text)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
  })
}
