import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Server } from '../load/servers.ts'
import type { Rate } from '../load/wrk.ts'

/** A socket client's measurements of a server. */
export type FrameRate = Omit<Rate, 'p99'>

const run = promisify(execFile)

/** Compiles the WebSocket client. @returns its path. */
export async function buildClient (): Promise<string> {
  await mkdir('build', { recursive: true })
  await run('g++', ['-O2', '-std=c++17', 'bench/stream/client.cc', '-o', 'build/stream-client'])
  return 'build/stream-client'
}

/** Measures steps of a model over sockets, one at a time on each, with a client on one core. */
export async function frames (client: string, server: Server, path: string, connections: number, units: number, seconds: number, core = 1): Promise<FrameRate> {
  const before = await server.cpu()
  const { stdout } = await run('taskset', ['-c', String(core), client, String(server.port), path, String(connections), String(units), String(seconds)])
  const [perSecond, p50] = stdout.split(' ').map(Number)
  return { perSecond, p50, cpu: (await server.cpu() - before) / (perSecond * seconds) * 1e6 }
}
