/**
 * The wire: one step over JSON, safetensors, the Open Inference Protocol, a session and a WebSocket, compared with what Fastify and Node.js
 * can do on their own with the same bodies, and with FastAPI, orjson and PyTorch, all in one run. The server and its client have one
 * core each; the client is wrk or, for the sockets, bench/stream/client.cc:
 *
 *     npm run bench:wire                 five rounds; writes bench/results/wire.md
 *     npm run bench:wire -- --quick      one short round; writes nothing
 *
 * It needs g++ and wrk. TEST_PYTHON names a Python with bench/load/peers/requirements.txt; without it the benchmark leaves that peer
 * out.
 */
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { cpus } from 'node:os'
import { text } from 'node:stream/consumers'
import { JSON_TYPE } from '../../src/wire/json.ts'
import { SAFETENSORS } from '../../src/wire/safetensors.ts'
import { f32, writeSafetensors } from '../../test/support/safetensors.ts'
import { startCellserve, startEcho, tryPeer, type Server } from '../load/servers.ts'
import { wrk, type Post } from '../load/wrk.ts'
import { median, random, writeBenchModels } from '../models.ts'
import { createReport } from '../report.ts'
import { buildClient, frames, type FrameRate } from '../stream/frames.ts'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 1 : 5
const SECONDS = quick ? 1 : 2
const CONNECTIONS = 32
const UNITS = [64, 256, 512]
/** How many different requests are sent in turn. */
const BODIES = 32
/** Many more than connections, so that two steps of one session hardly ever coincide. */
const SESSIONS = 1024
const SERVER = { core: 0 }

const models = await writeBenchModels(UNITS)
const client = await buildClient()
const cellserve = await startCellserve('cellserve', models, ['--threads', '1'], SERVER)
const fastify = await startEcho('fastify', SERVER)
const http = await startEcho('http', SERVER)
const peer = await tryPeer(models, UNITS, SERVER)

/** Runs one round of a side. */
type Side = () => Promise<FrameRate>

const { say, save } = createReport()

try {
  say('# The wire')
  say()
  say(`${cpus()[0].model}, a core for the server and one for the client; Node.js ${process.versions.node}; ${ROUNDS} rounds by turns, medians. Written by \`npm run bench:wire\`.`)
  say()
  say(`One step, one row, I = Hi = Ho, ${CONNECTIONS} connections. A ratio is of requests a second; that in brackets is of the server's time for a request, which a busy machine changes less.`)
  say()
  say('| units | format | requests a second | server\'s time, us | against bare Fastify, the same body | against bare Node.js `http` | against FastAPI + orjson + PyTorch |')
  say('| ---: | --- | ---: | ---: | ---: | ---: | ---: |')
  for (const units of UNITS) {
    const rows = Array.from({ length: BODIES }, () => ({ x: [random(units)], h_in: [random(units)], c_in: [random(units)] }))
    const json = rows.map((row) => ({ path: `/models/${units}/step`, headers: { 'content-type': JSON_TYPE }, body: Buffer.from(JSON.stringify(row)) }))
    const documents = rows.map((row) => writeSafetensors(Object.fromEntries(Object.entries(row).map(([name, [numbers]]) => [name, f32([1, units], numbers)]))))
    const safetensors = documents.map((body) => ({ path: `/models/${units}/step`, headers: { 'content-type': SAFETENSORS }, body }))
    const bytes = documents.map((body) => ({ path: '/bytes', headers: { 'content-type': 'application/octet-stream' }, body }))
    const sessions: Post[] = []
    for (let i = 0; i < SESSIONS; i++) {
      const { x: [x] } = rows[i % BODIES]
      sessions.push({ path: `/sessions/${await openSession(cellserve, units)}/step`, headers: { 'content-type': JSON_TYPE }, body: Buffer.from(JSON.stringify({ x })) })
    }
    const side = (server: Server, posts: readonly Post[]): Side => async () => await wrk(server, posts, CONNECTIONS, SECONDS)
    const of = await measure({
      json: side(cellserve, json),
      jsonFastify: side(fastify, json.map((post) => ({ ...post, path: '/json' }))),
      ...(peer !== undefined && { jsonPeer: side(peer, json) }),
      safetensors: side(cellserve, safetensors),
      bytesFastify: side(fastify, bytes),
      bytesHttp: side(http, bytes),
      inference: side(cellserve, rows.map(({ x: [x], h_in: [h], c_in: [c] }) => inferencePost(units, { x, h_in: h, c_in: c }))),
      session: side(cellserve, sessions),
      stream: async () => await frames(client, cellserve, `/models/${units}/stream`, CONNECTIONS, units, SECONDS)
    })
    const row = (name: string, own: string, bare: string, http: string, python: string): void => {
      const rates = of(own)
      say(`| ${units} | ${name} | ${median(rates.map(({ perSecond }) => perSecond)).toFixed(0)} | ${median(rates.map(({ cpu }) => cpu)).toFixed(1)} | ${[bare, http, python].map((other) => against(rates, of(other))).join(' | ')} |`)
    }
    row('JSON', 'json', 'jsonFastify', '', 'jsonPeer')
    row('safetensors', 'safetensors', 'bytesFastify', 'bytesHttp', 'jsonPeer')
    row('Open Inference Protocol, binary, a sequence of one step', 'inference', '', 'bytesHttp', 'jsonPeer')
    row('a session\'s step, JSON', 'session', '', '', 'jsonPeer')
    row('a WebSocket\'s frame, binary', 'stream', '', 'bytesHttp', 'jsonPeer')
  }
} finally {
  for (const server of [cellserve, fastify, http, peer]) await server?.stop()
  await rm(models, { recursive: true })
}
if (!quick) await save('wire')

/** Measures the rates of each side in every round; empty for a side that does not exist. */
async function measure (sides: Readonly<Record<string, Side>>): Promise<(side: string) => readonly FrameRate[]> {
  const rates = new Map<string, FrameRate[]>()
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, side] of Object.entries(sides)) {
      const rate = await side()
      // The first round warms up.
      if (round > 0) rates.set(name, [...rates.get(name) ?? [], rate])
    }
  }
  return (side) => rates.get(side) ?? []
}

function against (own: readonly FrameRate[], other: readonly FrameRate[]): string {
  if (other.length === 0) return ''
  return `${median(own.map(({ perSecond }, i) => perSecond / other[i].perSecond)).toFixed(2)}x (${median(own.map(({ cpu }, i) => other[i].cpu / cpu)).toFixed(2)}x)`
}

/** A sequence request of one step, with its tensors in the binary extension. */
function inferencePost (units: number, tensors: Readonly<Record<string, readonly number[]>>): Post {
  const inputs = Object.entries(tensors).map(([name, numbers]) => ({
    name, datatype: 'FP32', shape: name === 'x' ? [1, 1, units] : [1, units], parameters: { binary_data_size: 4 * numbers.length }
  }))
  const head = Buffer.from(JSON.stringify({ inputs, outputs: ['h_out', 'c_out'].map((name) => ({ name, parameters: { binary_data: true } })) }))
  return {
    path: `/v2/models/${units}/infer`,
    headers: { 'content-type': 'application/octet-stream', 'inference-header-content-length': String(head.length) },
    body: Buffer.concat([head, ...Object.values(tensors).map((numbers) => Buffer.from(Float32Array.from(numbers).buffer))])
  }
}

async function openSession ({ port }: Server, units: number): Promise<string> {
  const [answer]: IncomingMessage[] = await once(request({ port, method: 'POST', path: `/models/${units}/sessions`, headers: { 'content-type': JSON_TYPE } }).end('{}'), 'response')
  const { session }: { session: string } = JSON.parse(await text(answer))
  return session
}
