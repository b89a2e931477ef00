import assert from 'node:assert/strict'
import { cpus } from 'node:os'
import { JSON_TYPE } from '../../src/wire/json.ts'
import { median, random } from '../models.ts'
import { createReport } from '../report.ts'
import { startCellserve, startLitServe, startMLServer, startPeer, type Server } from './servers.ts'
import { wrk, type Post, type Rate } from './wrk.ts'

const CONNECTIONS = [1, 32]
/** How many different requests are sent in turn. */
const BODIES = 32
const BATCH = 64
const SECONDS = 1

/** A server, and the requests that it receives. */
interface Side {
  readonly server: Server
  readonly posts: readonly Post[]
  /** Whether it uses the CPU without requests, so that it must be stopped while others are measured. */
  readonly polls?: boolean
}

/** Another server, with cellserve and the same requests. */
interface Peer extends Side {
  readonly own: Side
}

type Rates = ReadonlyMap<Side, Rate>

/**
 * Measures cellserve against other servers that compute the same step with PyTorch, all on the same cores as wrk, after checking that
 * each gives the same answers as cellserve. Writes bench/results/peers.md if none is left out.
 */
export async function peers (models: string, sizes: readonly number[], quick: boolean): Promise<void> {
  const rounds = quick ? 1 : 5
  const { say, save } = createReport()
  for (const variable of ['TEST_PYTHON', 'TEST_PYTHON_MLSERVER']) {
    if (process.env[variable] === undefined) console.log(`The servers of ${variable} are left out: it is not set`)
  }

  say('# Other servers')
  say()
  say(`${cpus()[0].model}, ${cpus().length} cores, shared by wrk and the server; Node.js ${process.versions.node}; ${rounds} rounds by turns, medians. Written by \`npm run bench:load -- peers\`.`)
  say()
  say('A step of one row, I = Hi = Ho, over JSON: requests a second (p50, p99 in ms). MLServer, and cellserve beside it, answers the Open Inference Protocol; all others `POST /step`.')
  say()
  say('| units | connections | server | its requests a second | those of cellserve | cellserve against it |')
  say('| ---: | ---: | --- | ---: | ---: | ---: |')
  const cellserve = await startCellserve('cellserve', models)
  try {
    for (const units of sizes) await compareAll(cellserve, models, units, rounds, say)
  } finally {
    await cellserve.stop()
  }
  const isWhole = process.env.TEST_PYTHON !== undefined && process.env.TEST_PYTHON_MLSERVER !== undefined
  if (!quick && isWhole) await save('peers')
}

/** Measures the other servers with one model, and reports a line for each. */
async function compareAll (cellserve: Server, models: string, units: number, rounds: number, say: (line: string) => void): Promise<void> {
  const others = await startPeers(cellserve, models, units)
  try {
    for (const peer of others) await compare(peer)
    for (const connections of CONNECTIONS) {
      const all = await measure(others, connections, rounds)
      for (const peer of others) {
        const ratio = median(all.map((rates) => rateOf(rates, peer.own).perSecond / rateOf(rates, peer).perSecond))
        say(`| ${units} | ${connections} | ${peer.server.name} | ${figures(all, peer)} | ${figures(all, peer.own)} | ${ratio.toFixed(2)}x |`)
      }
    }
  } finally {
    for (const { server } of others) await server.stop()
  }
}

async function startPeers (cellserve: Server, models: string, units: number): Promise<Peer[]> {
  const rows = Array.from({ length: BODIES }, () => ({ x: random(units), h_in: random(units), c_in: random(units) }))
  const post = (path: string, body: unknown): Post => ({ path, headers: { 'content-type': JSON_TYPE }, body: Buffer.from(JSON.stringify(body)) })
  const steps = rows.map((row) => post(`/models/${units}/step`, Object.fromEntries(Object.entries(row).map(([name, vector]) => [name, [vector]]))))
  const inferences = rows.map((row) => post(`/v2/models/${units}/infer`, {
    inputs: Object.entries(row).map(([name, data]) => ({ name, datatype: 'FP32', shape: [1, units], data })),
    outputs: [{ name: 'h_out' }, { name: 'c_out' }]
  }))
  const { TEST_PYTHON: python, TEST_PYTHON_MLSERVER: mlserver } = process.env
  const others: Peer[] = []
  if (python !== undefined) {
    const own = { server: cellserve, posts: steps }
    others.push({ server: await startPeer(python, models, [units]), posts: steps, own })
    others.push({ server: await startLitServe(python, models, units), posts: steps, own })
    others.push({ server: await startLitServe(python, models, units, BATCH), posts: steps, own, polls: true })
  }
  if (mlserver !== undefined) {
    others.push({ server: await startMLServer(mlserver, models, [units]), posts: inferences, own: { server: cellserve, posts: inferences } })
  }
  return others
}

/** The rates of every round, in which the sides take turns. */
async function measure (others: readonly Peer[], connections: number, rounds: number): Promise<Rates[]> {
  const sides = new Set<Side>(others.flatMap((peer) => [peer.own, peer]))
  const all: Rates[] = []
  for (let round = 0; round <= rounds; round++) {
    const rates = new Map<Side, Rate>()
    for (const side of sides) {
      if (side.polls === true) side.server.signal('SIGCONT')
      rates.set(side, await wrk(side.server, side.posts, connections, SECONDS, {}))
      if (side.polls === true) side.server.signal('SIGSTOP')
    }
    // The first round warms up.
    if (round > 0) all.push(rates)
  }
  return all
}

function rateOf (rates: Rates, side: Side): Rate {
  const rate = rates.get(side)
  assert.ok(rate !== undefined)
  return rate
}

function figures (all: readonly Rates[], side: Side): string {
  const of = (pick: (rate: Rate) => number): number => median(all.map((rates) => pick(rateOf(rates, side))))
  return `${of(({ perSecond }) => perSecond).toFixed(0)} (${of(({ p50 }) => p50).toFixed(2)}, ${of(({ p99 }) => p99).toFixed(2)})`
}

/** Sends every request to both at once, so that a server can batch them, and compares all numbers of the answers. */
async function compare ({ server, posts, own }: Peer): Promise<void> {
  await Promise.all(posts.map(async (post) => {
    const [expected, actual] = await Promise.all([own.server, server].map(async ({ port }) => await answer(port, post)))
    assert.ok(expected.length > 0)
    assert.equal(actual.length, expected.length, `${server.name}: numbers of an answer`)
    for (const [i, number] of expected.entries()) assert.ok(Math.abs(actual[i] - number) <= 1e-5, `${server.name}: ${actual[i]}, expected ${number}`)
  }))
}

async function answer (port: number, { path, headers, body }: Post): Promise<number[]> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: new Uint8Array(body) })
  const document: unknown = await response.json()
  assert.equal(response.status, 200, JSON.stringify(document))
  return numbersOf(document)
}

/** The numbers in a document, in order. */
function numbersOf (value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersOf) : []
}
