/**
 * Sessions, in memory and in a Valkey on the same machine, over HTTP and JSON, driven by wrk. The service has one core; its client and
 * the store share the other:
 *
 *     npm run bench:sessions                 five rounds; writes bench/results/sessions.md
 *     npm run bench:sessions -- --quick      one short round; writes nothing
 *
 * It needs wrk, and valkey-server or redis-server.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { Agent, request, type IncomingMessage } from 'node:http'
import { cpus } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { post } from '../../test/support/http.ts'
import { startValkey, withValkey } from '../../test/support/valkey.ts'
import { JSON_TYPE } from '../../src/wire/json.ts'
import { load } from '../load/client.ts'
import { startCellserve, type Server } from '../load/servers.ts'
import { wrk, type Post, type Rate } from '../load/wrk.ts'
import { median, random, writeBenchModel, writeBenchModels } from '../models.ts'
import { createReport } from '../report.ts'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 1 : 5
const SECONDS = quick ? 1 : 2
const LIVE = quick ? 10_000 : 100_000
/** If x is short, most of what a client with the state sends is the state: about 13 KB each way. */
const MODELS = [{ name: '64', I: 64, units: 64 }, { name: '512', I: 512, units: 512 }, { name: '512-64', I: 64, units: 512 }]
const [CLIENT, SERVER] = [{ core: 1 }, { core: 0 }]

assert.equal(withValkey.skip, false)
execFileSync('taskset', ['-cp', String(CLIENT.core), String(process.pid)], { stdio: 'ignore' })

const closing: Array<() => unknown> = []
const valkey = await startValkey({ after: (close) => { closing.push(close) } })
const models = await writeBenchModels([64, 512])
await writeBenchModel(models, '512-64', 64, 512)
const memory = await startCellserve('memory', models, [], SERVER)
const shared = await startCellserve('Valkey', models, ['--sessions', valkey.url], SERVER)

const ratios: string[] = []
const { say, save } = createReport()

say('# Sessions')
say()
say(`${cpus()[0].model}, a core for the service and one for the client and the store; Node.js ${process.versions.node}; ${ROUNDS} rounds, medians. Written by \`npm run bench:sessions\`.`)
say()
await steps()
for (const server of [memory, shared]) await server.stop()
await live()
for (const close of closing) await close()
await rm(models, { recursive: true })
if (!quick) await save('sessions')

function jsonPost (path: string, body: object): Post {
  return { path, headers: { 'content-type': JSON_TYPE }, body: Buffer.from(JSON.stringify(body)) }
}

/** Random float32 numbers with as many digits as the service writes: a client sends back the numbers that it received. */
function answered (length: number): number[] {
  return random(length).map((number) => Number(number.toPrecision(9)))
}

/** Opens sessions, and returns their paths. */
async function open ({ port }: Server, model: string, count: number): Promise<string[]> {
  const paths: string[] = []
  await load(port, 16, Array.from({ length: count }, () => post(`/models/${model}/sessions`, {})), Infinity, ({ status, body }) => {
    assert.equal(status, 201, body)
    paths.push(`/sessions/${JSON.parse(body).session}`)
  }, count)
  return paths
}

async function steps (): Promise<void> {
  say('| inputs | units | connections | a step by | requests per second | server\'s time, us | p50, ms |')
  say('| ---: | ---: | ---: | --- | ---: | ---: | ---: |')
  for (const { name: model, I, units } of MODELS) {
    // Many more sessions than connections, so that two steps of one session never coincide. The client counts the steps.
    const ofNewSessions = async (server: Server): Promise<Post[]> => (await open(server, model, 1024)).map((path) => jsonPost(`${path}/step?t={n}`, { x: random(I) }))
    const steps = Array.from({ length: 64 }, () => jsonPost(`/models/${model}/step`, { x: [random(I)], h_in: [answered(units)], c_in: [answered(units)] }))
    const sides = [
      { name: '`/step`, the client has the state', server: memory, posts: () => steps },
      { name: 'a session in memory', server: memory, posts: async () => await ofNewSessions(memory) },
      { name: 'a session in Valkey', server: shared, posts: async () => await ofNewSessions(shared) }
    ]
    for (const connections of [1, 32]) {
      const rounds: Rate[][] = []
      // The first round warms up.
      for (let round = 0; round <= ROUNDS; round++) {
        const row: Rate[] = []
        for (const { server, posts } of sides) row.push(await wrk(server, await posts(), connections, SECONDS, CLIENT))
        if (round > 0) rounds.push(row)
      }
      const figure = (side: number, name: keyof Rate): number => median(rounds.map((row) => row[side][name]))
      for (const [i, { name }] of sides.entries()) {
        say(`| ${I} | ${units} | ${connections} | ${name} | ${figure(i, 'perSecond').toFixed(0)} | ${figure(i, 'cpu').toFixed(0)} | ${figure(i, 'p50').toFixed(3)} |`)
      }
      const [against, cpu] = [median(rounds.map((row) => row[1].perSecond / row[0].perSecond)), median(rounds.map((row) => row[0].cpu / row[1].cpu))]
      const more = median(rounds.map((row) => row[2].p50 - row[1].p50))
      ratios.push(`${I} inputs, ${units} units, ${connections} ${connections === 1 ? 'connection' : 'connections'}: a session in memory takes ${against.toFixed(2)} times the steps of \`/step\` (${cpu.toFixed(2)} by the server's time); Valkey's p50 is ${more.toFixed(3)} ms above memory's.`)
    }
  }
  say()
  for (const ratio of ratios) say(`- ${ratio}`)
  say()
}

/** Measures the memory of many sessions, each of which has taken a step. */
async function live (): Promise<void> {
  const memory = await startCellserve('memory', models, [], SERVER)
  const take = async (paths: readonly string[]): Promise<void> => {
    await load(memory.port, 16, paths.map((path) => post(`${path}/step`, { x: random(64) })), Infinity, ({ status }) => { assert.equal(status, 200) }, paths.length)
  }
  // First send as many requests as later, to sessions that then end.
  const some = await open(memory, '64', LIVE / 10)
  for (let i = 0; i < 10; i++) await take(some)
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  await Promise.all(some.map(async (path) => {
    const [answer]: IncomingMessage[] = await once(request({ agent, port: memory.port, path, method: 'DELETE' }).end(), 'response')
    answer.resume()
    assert.equal(answer.statusCode, 204)
  }))
  agent.destroy()
  const before = await memory.memory()
  await take(await open(memory, '64', LIVE))
  await setTimeout(3000)
  const after = await memory.memory()
  say(`${LIVE} live sessions of 64 units in memory, each after a step: ${after.toFixed(0)} MiB resident, **${(after - before).toFixed(0)} MiB** above the ${before.toFixed(0)} MiB of none.`)
  await memory.stop()
}
