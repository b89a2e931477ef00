/**
 * Steps over WebSockets against `POST /step` with safetensors, in one run. The server and its client have one core each; wrk drives
 * `/step`, and bench/stream/client.cc the sockets, because a client in JavaScript would be slower than the server:
 *
 *     npm run bench:stream                 five rounds; writes bench/results/stream.md
 *     npm run bench:stream -- --quick      one short round; writes nothing
 *
 * It needs g++ and wrk.
 */
import { rm } from 'node:fs/promises'
import { cpus } from 'node:os'
import { SAFETENSORS } from '../../src/wire/safetensors.ts'
import { f32, writeSafetensors } from '../../test/support/safetensors.ts'
import { startCellserve } from '../load/servers.ts'
import { wrk, type Rate } from '../load/wrk.ts'
import { median, random, writeBenchModels } from '../models.ts'
import { createReport } from '../report.ts'
import { buildClient, frames as framesOf, type FrameRate } from './frames.ts'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 1 : 5
const SECONDS = quick ? 1 : 3
const CONNECTIONS = [1, 64]
const N = 64

const client = await buildClient()
const models = await writeBenchModels([N])
const server = await startCellserve('cellserve', models, [], { core: 0 })

// A client that computes the feedback itself sends x, and the states of the step before.
const body = writeSafetensors({ x: f32([1, N], random(N)), h_in: f32([1, N], random(N)), c_in: f32([1, N], random(N)) })
const step = { path: `/models/${N}/step`, headers: { 'content-type': SAFETENSORS }, body }
const steps = async (connections: number, seconds: number): Promise<Rate> => await wrk(server, [step], connections, seconds)
const frames = async (connections: number, seconds: number): Promise<FrameRate> => await framesOf(client, server, `/models/${N}/stream`, connections, N, seconds)

const { say, save } = createReport()
say('# Steps over WebSockets')
say()
say(`${cpus()[0].model}, a core for the server and one for the client; Node.js ${process.versions.node}; ${ROUNDS} rounds, medians. Written by \`npm run bench:stream\`.`)
say()
say(`One step of ${N} units at a time on each connection, steps a second (p50 in ms): binary frames, against \`POST /step\` with safetensors, whose client sends and gets the states.`)
say()
say('| connections | `/stream` | `/step` | rate | the server\'s time for a step | of `/step` | times less |')
say(`|${' ---: |'.repeat(7)}`)
for (const connections of CONNECTIONS) {
  await steps(connections, 1)
  await frames(connections, 1)
  const rounds: Array<{ stream: FrameRate, step: Rate }> = []
  for (let round = 0; round < ROUNDS; round++) rounds.push({ stream: await frames(connections, SECONDS), step: await steps(connections, SECONDS) })
  const of = (pick: (round: typeof rounds[number]) => number): number => median(rounds.map(pick))
  const cells = [
    `${of(({ stream }) => stream.perSecond).toFixed(0)} (${of(({ stream }) => stream.p50).toFixed(2)})`,
    `${of(({ step }) => step.perSecond).toFixed(0)} (${of(({ step }) => step.p50).toFixed(2)})`,
    `${of(({ stream, step }) => stream.perSecond / step.perSecond).toFixed(2)}x`,
    `${of(({ stream }) => stream.cpu).toFixed(1)} us`,
    `${of(({ step }) => step.cpu).toFixed(1)} us`,
    `${of(({ stream, step }) => step.cpu / stream.cpu).toFixed(2)}x`
  ]
  say(`| ${connections} | ${cells.join(' | ')} |`)
}

await server.stop()
await rm(models, { recursive: true })
if (!quick) await save('stream')
