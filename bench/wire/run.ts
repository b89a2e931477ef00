/**
 * The wire: `/step` over JSON and safetensors, compared with what Fastify can do on its own with the same bodies, and with
 * FastAPI, orjson and PyTorch, all in one run. The server and its client have one core each:
 *
 *     npm run bench:wire                 five rounds; writes bench/results/wire.md
 *     npm run bench:wire -- --quick      one short round; writes nothing
 *
 * TEST_PYTHON names a Python with torch, fastapi, uvicorn and orjson; without it the benchmark leaves that peer out.
 */
import { execFileSync } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { SAFETENSORS } from '../../src/wire/safetensors.ts'
import { post, postBytes } from '../../test/support/http.ts'
import { f32, writeSafetensors } from '../../test/support/safetensors.ts'
import { load } from '../load/client.ts'
import { startCellserve, startEcho, startPeer, type Server } from '../load/servers.ts'
import { median, random, writeBenchModels } from '../models.ts'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 1 : 5
const MS = quick ? 700 : 1200
const UNITS = [64, 256, 512]
const [CLIENT, SERVER] = [{ core: 1 }, { core: 0 }]

execFileSync('taskset', ['-cp', String(CLIENT.core), String(process.pid)], { stdio: 'ignore' })

const models = await writeBenchModels(UNITS)

const cellserve = await startCellserve('cellserve', models, [], SERVER)
const unbatched = await startCellserve('cellserve, batching off', models, ['--batch-rows', '1'], SERVER)
const echo = await startEcho(SERVER)
const python = process.env.TEST_PYTHON
const peer = python === undefined ? undefined : await startPeer(python, SERVER)
if (peer === undefined) console.log('FastAPI + PyTorch is left out: TEST_PYTHON is not set')

/** A server and the request that it gets. */
interface Side {
  readonly server: Server
  readonly requests: readonly Buffer[]
}

function sidesOf (n: number): Record<'json' | 'jsonEcho' | 'bytes' | 'bytesEcho' | 'bytesUnbatched', Side> & { peer?: Side } {
  const bodies = Array.from({ length: 32 }, () => ({ x: [random(n)], h_in: [random(n)], c_in: [random(n)] }))
  const documents = bodies.map((body) => writeSafetensors(Object.fromEntries(Object.entries(body).map(([name, [row]]) => [name, f32([1, n], row)]))))
  const path = `/models/${n}/step`
  return {
    json: { server: cellserve, requests: bodies.map((body) => post(path, body)) },
    jsonEcho: { server: echo, requests: bodies.map((body) => post('/json', body)) },
    bytes: { server: cellserve, requests: documents.map((document) => postBytes(path, SAFETENSORS, document)) },
    bytesEcho: { server: echo, requests: documents.map((document) => postBytes('/bytes', 'application/octet-stream', document)) },
    bytesUnbatched: { server: unbatched, requests: documents.map((document) => postBytes(path, SAFETENSORS, document)) },
    ...(peer !== undefined && { peer: { server: peer, requests: bodies.map((body) => post(path, body)) } })
  }
}

/** Requests per second of each side in every round. */
async function measure<K extends string> (sides: Readonly<Partial<Record<K, Side>>>, connections: number): Promise<(side: K) => number[]> {
  const rounds = new Map<string, number[]>()
  const each = Object.entries<Side | undefined>(sides)
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, side] of each) {
      if (side === undefined) continue
      const { throughput } = await load(side.server.port, connections, side.requests, round === 0 ? 500 : MS)
      if (round > 0) rounds.set(name, [...rounds.get(name) ?? [], throughput])
    }
  }
  return (side) => rounds.get(side) ?? []
}

const lines: string[] = []
const say = (line = ''): void => {
  console.log(line)
  lines.push(line)
}
const ratio = (a: readonly number[], b: readonly number[]): string => b.length === 0 ? '' : `${median(a.map((value, i) => value / b[i])).toFixed(2)}x`

say('# The wire')
say()
say(`${cpus()[0].model}, a core for the server and one for the client; Node.js ${process.versions.node}; ${ROUNDS} rounds, medians. Written by \`npm run bench:wire\`.`)
say()
say('`POST /step`, one row, I = Hi = Ho, 32 connections, requests a second:')
say()
say('| units | JSON | bare Fastify, the same JSON | safetensors | bare Fastify, the same bytes | FastAPI + orjson + PyTorch | JSON against bare | safetensors against bare | JSON against FastAPI | safetensors against FastAPI |')
say(`|${' ---: |'.repeat(10)}`)
for (const n of UNITS) {
  const { bytesUnbatched, ...sides } = sidesOf(n)
  const of = await measure(sides, 32)
  const rates = (['json', 'jsonEcho', 'bytes', 'bytesEcho', 'peer'] as const).map((side) => of(side).length === 0 ? '' : median(of(side)).toFixed(0))
  say(`| ${n} | ${rates.join(' | ')} | ${ratio(of('json'), of('jsonEcho'))} | ${ratio(of('bytes'), of('bytesEcho'))} | ${ratio(of('json'), of('peer'))} | ${ratio(of('bytes'), of('peer'))} |`)
}
say()
const { bytes, bytesUnbatched } = sidesOf(512)
const of = await measure({ bytes, bytesUnbatched }, 64)
say(`Safetensors, 512 units, 64 connections: ${median(of('bytes')).toFixed(0)} requests a second, ${ratio(of('bytes'), of('bytesUnbatched'))} of those with batching off.`)

for (const server of [cellserve, unbatched, echo, peer]) await server?.stop()
await rm(models, { recursive: true })
if (!quick) await writeFile(new URL('../results/wire.md', import.meta.url), lines.join('\n') + '\n')
