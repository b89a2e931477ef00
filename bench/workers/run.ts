/**
 * Several workers compared with one process, with wrk, all of them on the same cores:
 *
 *     npm run bench:workers                 five rounds by turns; writes bench/results/workers.md
 *     npm run bench:workers -- --quick      one short round; writes nothing
 *
 * It needs wrk. SETUPS, such as `1,2,4`, lists the numbers of workers; the others are compared with the first. UNITS lists the models.
 */
import { readFile, rm } from 'node:fs/promises'
import { cpus } from 'node:os'
import { JSON_TYPE } from '../../src/wire/json.ts'
import { startCellserve, type Server } from '../load/servers.ts'
import { wrk, type Post, type Rate } from '../load/wrk.ts'
import { median, random, writeBenchModels } from '../models.ts'
import { createReport } from '../report.ts'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 1 : 5
const SECONDS = quick ? 1 : 2
/** Seconds until the code is compiled: a worker receives only a share of the requests. */
const WARM_UP = quick ? 1 : 5
const UNITS = (process.env.UNITS ?? '64,512').split(',').map(Number)
const CONNECTIONS = 32
const SETUPS = (process.env.SETUPS ?? '1,2').split(',').map(Number)

const models = await writeBenchModels(UNITS)
const { say, save } = createReport()

const posts = new Map(UNITS.map((n): [number, Post[]] => [n, [{
  path: `/models/${n}/step`, headers: { 'content-type': JSON_TYPE }, body: Buffer.from(JSON.stringify({ x: [random(n)], h_in: [random(n)], c_in: [random(n)] }))
}]]))

/** wrk and the service share the cores. */
const steps = async (server: Server, n: number, seconds: number): Promise<Rate> => await wrk(server, posts.get(n) ?? [], CONNECTIONS, seconds, {})

/** The memory of all processes of a service, in MiB: resident, and with shared pages counted once. */
async function memory ({ pid }: Server): Promise<{ resident: number, proportional: number }> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').filter((child) => child !== '')
  const sums = { resident: 0, proportional: 0 }
  for (const each of [String(pid), ...children]) {
    const text = await readFile(`/proc/${each}/smaps_rollup`, 'utf8')
    sums.resident += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1]) / 1024
    sums.proportional += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1]) / 1024
  }
  return sums
}

const servers: Server[] = []
for (const workers of SETUPS) servers.push(await startCellserve(`${workers} ${workers === 1 ? 'process' : 'workers'}`, models, ['--workers', String(workers)]))

say('# Workers')
say()
say(`${cpus()[0].model}, ${cpus().length} cores, shared by wrk and the service; Node.js ${process.versions.node}; ${CONNECTIONS} connections, \`POST /step\` over JSON, ${ROUNDS} rounds by turns, medians. Written by \`npm run bench:workers\`.`)
say()
say(`| units | ${servers.map(({ name }) => `${name}, requests a second (p99, ms)`).join(' | ')} | ratio |`)
say(`| ---: |${' ---: |'.repeat(servers.length + 1)}`)
for (const n of UNITS) {
  for (const server of servers) await steps(server, n, WARM_UP)
  const rounds: Rate[][] = []
  for (let round = 0; round < ROUNDS; round++) {
    const rates: Rate[] = []
    for (const server of servers) rates.push(await steps(server, n, SECONDS))
    rounds.push(rates)
  }
  const cells = servers.map((_, i) => `${median(rounds.map((round) => round[i].perSecond)).toFixed(0)} (${median(rounds.map((round) => round[i].p99)).toFixed(1)})`)
  const ratios = servers.slice(1).map((_, i) => `${median(rounds.map((round) => round[i + 1].perSecond / round[0].perSecond)).toFixed(2)}x`)
  say(`| ${n} | ${cells.join(' | ')} | ${ratios.join(', ')} |`)
}
say()
for (const server of servers) {
  const { resident, proportional } = await memory(server)
  say(`${server.name}: ${resident.toFixed(0)} MiB resident, ${proportional.toFixed(0)} MiB with what the processes share counted once.`)
}
for (const server of servers) await server.stop()
await rm(models, { recursive: true })
if (!quick) await save('workers')
