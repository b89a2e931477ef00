import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** A server under load, in its own process. */
export interface Server {
  readonly name: string
  readonly port: number
  readonly pid: number
  /** Resident memory, in MiB. */
  memory (): Promise<number>
  /** The time that it has computed, in seconds. */
  cpu (): Promise<number>
  stop (): Promise<void>
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const PEER = fileURLToPath(new URL('peer.py', import.meta.url))
const BARE = fileURLToPath(new URL('../start/bare.mjs', import.meta.url))
const ECHO = fileURLToPath(new URL('../wire/echo.ts', import.meta.url))

/** The core to pin the server to, if any. */
export interface Place {
  readonly core?: number
}

/** cellserve itself, as `npm start` runs it. */
export async function startCellserve (name: string, models: string, flags: readonly string[] = [], place: Place = {}): Promise<Server> {
  return await start(name, process.execPath, [MAIN, '--models', models, '--port', '0', ...flags], /listening at http:\/\/127\.0\.0\.1:(\d+)/, place)
}

/** FastAPI, uvicorn, orjson and torch.nn.LSTMCell: what our users would write instead. */
export async function startPeer (python: string, place: Place = {}): Promise<Server> {
  return await start('FastAPI + PyTorch', python, [PEER], /listening on (\d+)/, place)
}

/** Fastify, or Node.js alone, with nothing to do. */
export async function startEcho (kind: 'fastify' | 'http', place: Place = {}): Promise<Server> {
  return await start(`bare ${kind}`, process.execPath, ['--import', 'tsx', ECHO, kind], /listening on (\d+)/, place)
}

/** The same without what the benchmarks ask of them, and without a compiler in front: for what a start costs. */
export async function startBare (kind: 'fastify' | 'http'): Promise<Server> {
  return await start(`bare ${kind}`, process.execPath, [BARE, kind], /listening on (\d+)/, {})
}

async function start (name: string, program: string, options: string[], ready: RegExp, { core }: Place): Promise<Server> {
  const [command, ...args] = [...(core === undefined ? [] : ['taskset', '-c', String(core)]), program, ...options]
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await portOf(child, ready)
  return {
    name,
    port,
    pid: child.pid ?? 0,
    async memory () {
      const ps = spawn('ps', ['-o', 'rss=', '-p', String(child.pid)], { stdio: ['ignore', 'pipe', 'inherit'] })
      let text = ''
      ps.stdout.on('data', (chunk) => { text += String(chunk) })
      await once(ps, 'close')
      return Number(text) / 1024
    },
    async cpu () {
      // After the name, which may have spaces, utime and stime are the 12th and the 13th, in hundredths of a second.
      const [, rest] = /\) (.*)/.exec(await readFile(`/proc/${child.pid}/stat`, 'utf8')) ?? []
      const [user, system] = (rest ?? '').split(' ').slice(11, 13).map(Number)
      return (user + system) / 100
    },
    async stop () {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
  }
}

async function portOf (child: ChildProcess, ready: RegExp): Promise<number> {
  let text = ''
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => { reject(new Error(`the server ended: ${text}`)) })
    child.stdout?.on('data', (chunk) => {
      text += String(chunk)
      const port = ready.exec(text)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
  })
}
