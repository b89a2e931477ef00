import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Place, Server } from './servers.ts'

const run = promisify(execFile)

/** In a path, stands for how often it has been sent before. */
const SENT = '{n}'

/** A POST. */
export interface Post {
  /** `{n}` in it stands for how often it has been sent before. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** A client's measurements of a server. */
export interface Rate {
  /** Answers per second. */
  readonly perSecond: number
  /** The median time to an answer, in milliseconds. */
  readonly p50: number
  /** The time within which all but one in a hundred were answered, in milliseconds. */
  readonly p99: number
  /** The server's CPU time per answer, in microseconds; it depends less on the machine's load than a rate does. */
  readonly cpu: number
}

/**
 * Has wrk send requests in turn. A client in JavaScript would be slower than the server.
 *
 * @param place where wrk runs.
 *
 * @throws Error if wrk is not installed, or an answer has a status other than 2xx.
 */
export async function wrk (server: Server, posts: readonly Post[], connections: number, seconds: number, { core }: Place = { core: 1 }): Promise<Rate> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-bench-'))
  try {
    const script = join(folder, 'posts.lua')
    await writeFile(script, `local posts = {\n${posts.map(({ path, headers, body }) => `  { ${quoted(path)}, ${table(headers)}, ${quoted(body)} }`).join(',\n')}\n}\n` +
      'local texts, next, round = {}, -1, 0\n' +
      'function init() for i, post in ipairs(posts) do texts[i] = wrk.format("POST", post[1], post[2], post[3]) end end\n' +
      'function request()\n' +
      // wrk calls this once before the first request that it sends.
      '  next = next + 1\n' +
      '  if next == 0 then return texts[1] end\n' +
      '  if next > #texts then next, round = 1, round + 1 end\n' +
      `  return ${posts.some(({ path }) => path.includes(SENT)) ? `(string.gsub(texts[next], "${SENT}", round, 1))` : 'texts[next]'}\n` +
      'end\n')
    const before = await server.cpu()
    const [command, ...args] = [...(core === undefined ? [] : ['taskset', '-c', String(core)]), 'wrk', '-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--latency', '-s', script, `http://127.0.0.1:${server.port}`]
    const { stdout } = await run(command, args)
    if (stdout.includes('Non-2xx') || stdout.includes('Socket errors')) throw new Error(stdout)
    const count = Number(/(\d+) requests in/.exec(stdout)?.[1])
    return {
      perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
      p50: milliseconds(stdout, 50),
      p99: milliseconds(stdout, 99),
      cpu: (await server.cpu() - before) / count * 1e6
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The time within which this share of the requests was answered. */
function milliseconds (report: string, percent: number): number {
  const [, time, unit] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(report) ?? []
  return Number(time) * (unit === 'us' ? 0.001 : unit === 'ms' ? 1 : 1000)
}

/** These bytes as a Lua string. */
function quoted (bytes: string | Uint8Array): string {
  return `"${[...Buffer.from(bytes)].map((byte) => byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`).join('')}"`
}

function table (headers: Readonly<Record<string, string>>): string {
  return `{ ${Object.entries(headers).map(([name, value]) => `[${quoted(name)}] = ${quoted(value)}`).join(', ')} }`
}
