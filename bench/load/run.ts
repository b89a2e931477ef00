/**
 * cellserve under load from loopback, compared with itself without batching and with other servers that use PyTorch, all in one run:
 *
 *     npm run bench:load                 three rounds; writes bench/results/load.md and peers.md
 *     npm run bench:load -- peers        only FastAPI, LitServe and MLServer, with wrk; writes bench/results/peers.md
 *     npm run bench:load -- beside       only short requests during large ones; writes nothing
 *     npm run bench:load -- --quick      one short round; writes nothing
 *
 * TEST_PYTHON names a Python with bench/load/peers/requirements.txt, TEST_PYTHON_MLSERVER one with requirements-mlserver.txt, whose
 * FastAPI is older. Without them the benchmark leaves those peers out.
 */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { cpus } from 'node:os'
import { createNativeEngine } from '../../src/engine/native.ts'
import { loadModels } from '../../src/load.ts'
import { createAdmission } from '../../src/scheduler/admission.ts'
import { SILENT } from '../../src/scheduler/events.ts'
import { createScheduler } from '../../src/scheduler/scheduler.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { median, random, writeBenchModels } from '../models.ts'
import { createReport } from '../report.ts'
import { post } from '../../test/support/http.ts'
import { beside } from './beside.ts'
import { load, once, type Answer, type Load } from './client.ts'
import { peers } from './peers.ts'
import { startCellserve, tryPeer, type Server } from './servers.ts'

const quick = process.argv.includes('--quick')
const part = ['beside', 'peers'].find((name) => process.argv.includes(name))
const ROUNDS = quick ? 1 : 3
const MS = quick ? 700 : 1000
const UNITS = [64, 256, 512]
const CONNECTIONS = [1, 8, 64, 256]

const { say, save } = createReport()

const models = await writeBenchModels(UNITS)

const stepsOf = (n: number, count: number): Buffer[] => Array.from({ length: count }, () => {
  return post(`/models/${n}/step`, { x: [random(n)], h_in: [random(n)], c_in: [random(n)] })
})

if (part === undefined || part === 'peers') await peers(models, [64, 512], quick)
if (part !== 'peers') await itself()
await rm(models, { recursive: true })

/** Measures cellserve in several ways, mostly against itself. */
async function itself (): Promise<void> {
  say('# cellserve under load')
  say()
  say(`${cpus()[0].model}, ${cpus().length} cores, shared by client and server; Node.js ${process.versions.node}; ${ROUNDS} rounds, medians. Written by \`npm run bench:load\`.`)
  say()
  if (part !== 'beside') {
    await modelInterface()
    await throughput()
  }
  await mixed()
  await beside(say, ROUNDS, MS)
  if (part !== 'beside') await overload()
  if (!quick && part === undefined) await save('load')
}

/** Measures 64 concurrent steps at the model's own interface against single steps. */
async function modelInterface (): Promise<void> {
  const deps = {
    engine: createNativeEngine(),
    maxSteps: 1e6,
    maxWork: 2 ** 40,
    hosting: { timeout: 1, memory: 256, report: () => {} },
    batchRows: 64,
    admission: createAdmission(1e6, 1e12),
    scheduler: createScheduler(SILENT)
  }
  const model = (await loadModels(models, deps)).find(({ name }) => name === '512')
  assert.ok(model !== undefined)
  const requests = Array.from({ length: 64 }, () => ({ x: new Tensor([512], Float32Array.from(random(512))), h_in: new Tensor([512], Float32Array.from(random(512))) }))
  const ratios: number[] = []
  for (let round = 0; round < 5; round++) {
    const timed = async (work: () => Promise<void>): Promise<number> => {
      const start = performance.now()
      for (let n = 0; n < 5; n++) await work()
      return performance.now() - start
    }
    const alone = await timed(async () => { for (const request of requests) await model.step(request) })
    const together = await timed(async () => { await Promise.all(requests.map(async (request) => await model.step(request))) })
    ratios.push(alone / together)
  }
  say(`64 concurrent steps of 512 units at the model's own interface: **${median(ratios).toFixed(1)} times** the throughput of one by one.`)
  say()
}

async function throughput (): Promise<void> {
  const servers: Server[] = [await startCellserve('cellserve', models), await startCellserve('batching off', models, ['--batch-rows', '1'])]
  const peer = await tryPeer(models, UNITS)
  if (peer !== undefined) servers.push(peer)

  say('`POST /step` over JSON, requests a second (p50, p99 in ms):')
  say()
  say(`| units | connections | ${servers.map(({ name }) => name).join(' | ')} | against batching off | against FastAPI |`)
  say(`| ---: | ---: |${' ---: |'.repeat(servers.length + 2)}`)
  for (const n of UNITS) {
    const requests = stepsOf(n, 64)
    for (const server of servers) await load(server.port, 8, requests, 500)
    for (const connections of CONNECTIONS) {
      const rounds: Load[][] = []
      for (let round = 0; round < ROUNDS; round++) {
        const row: Load[] = []
        for (const server of servers) row.push(await load(server.port, connections, requests, MS))
        rounds.push(row)
      }
      const cells = servers.map((_, i) => {
        const of = (pick: (load: Load) => number): number => median(rounds.map((row) => pick(row[i])))
        return `${of((l) => l.throughput).toFixed(0)} (${of((l) => l.p50).toFixed(2)}, ${of((l) => l.p99).toFixed(2)})`
      })
      const against = (i: number): string => rounds[0].length > i ? `${median(rounds.map((row) => row[0].throughput / row[i].throughput)).toFixed(2)}x` : ''
      say(`| ${n} | ${connections} | ${cells.join(' | ')} | ${against(1)} | ${against(2)} |`)
    }
  }
  say()
  for (const server of servers) await server.stop()
}

/** Measures steps of a small cell while long sequences of another model run. */
async function mixed (): Promise<void> {
  const server = await startCellserve('cellserve', models)
  const steps = stepsOf(64, 16)
  const quiet = await load(server.port, 4, steps, MS)
  const sequence = post('/models/256/sequence', { x: Array.from({ length: 8 }, () => Array.from({ length: 100 }, () => random(256).map((v) => Number(v.toFixed(3))))), return_sequences: false })
  const long = post('/models/256/sequence', { x: [random(256)], steps: 5000, return_sequences: false })
  const isGood = ({ status, body }: Answer): void => assert.equal(status, 200, body)
  const longs = load(server.port, 8, [long], 4 * MS, isGood)
  const middle = load(server.port, 1, [sequence], 3 * MS, isGood)
  await new Promise((resolve) => setTimeout(resolve, MS / 2))
  const busy = await load(server.port, 4, steps, 2 * MS)
  await Promise.all([longs, middle])
  say('`/step` of 64 units on 4 connections while eight sequences of T = 5000 and one of B = 8, T = 100, of 256 units, run all the time: ' +
    `p50 ${busy.p50.toFixed(2)} ms, p99 **${busy.p99.toFixed(2)} ms** (alone: ${quiet.p50.toFixed(2)}, ${quiet.p99.toFixed(2)}).`)
  say()
  await server.stop()
}

/** Sends ten times as many rows as the limit allows: every answer is a 200 with the right bits, or a 503. */
async function overload (): Promise<void> {
  const server = await startCellserve('cellserve', models, ['--max-rows', '40'])
  const requests = stepsOf(256, 64)
  const expected: string[] = []
  for (const request of requests) expected.push((await once(server.port, request)).body)
  await load(server.port, 40, requests, MS)
  const before = await server.memory()
  let wrong = 0
  const result = await load(server.port, 400, requests, quick ? 2000 : 15_000, ({ status, body }, i) => {
    if (status === 200 ? body !== expected[i] : status !== 503) wrong++
  })
  await load(server.port, 40, requests, MS)
  const after = await server.memory()
  const counts = [...result.statuses].map(([status, count]) => `${count} of ${status}`).join(', ')
  say(`Ten times overload for 15 s (400 connections on \`--max-rows 40\`, 256 units): ${counts}; ${wrong} wrong or other; ` +
    `p99 of the 200s ${result.p99.toFixed(0)} ms; memory ${before.toFixed(0)} MiB before, ${after.toFixed(0)} MiB after.`)
  await server.stop()
}
