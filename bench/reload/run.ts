/**
 * `/step` of one model while another, of 33 MB, is replaced every second, compared with the same while nothing is loaded:
 *
 *     npm run bench:reload                 seven rounds by turns; writes bench/results/reload.md
 *     npm run bench:reload -- --quick      one short round; writes nothing
 *
 * It needs wrk. Every answer must be a 2xx, also from the large model.
 */
import { once } from 'node:events'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { SAFETENSORS } from '../../src/wire/safetensors.ts'
import { f32, writeSafetensors } from '../../test/support/safetensors.ts'
import { startCellserve } from '../load/servers.ts'
import { wrk, type Post, type Rate } from '../load/wrk.ts'
import { median, random, writeBenchModels } from '../models.ts'
import { createReport } from '../report.ts'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 1 : 7
const SECONDS = quick ? 2 : 5
const WARM_UP = quick ? 1 : 5
const SMALL = 64
const LARGE = 1024
const CONNECTIONS = [4, 32]

const models = await writeBenchModels([SMALL, LARGE])
const file = join(models, `${LARGE}.safetensors`)
const versions = [await readFile(file), changed(await readFile(file))]
const server = await startCellserve('cellserve', models)
const url = `http://127.0.0.1:${server.port}`

const step = (n: number): Post => ({
  path: `/models/${n}/step`, headers: { 'content-type': SAFETENSORS }, body: writeSafetensors({ x: f32([1, n], random(n)), h_in: f32([1, n], random(n)), c_in: f32([1, n], random(n)) })
})
const posts = [step(SMALL)]

/** The same weights, except for the last bit. */
function changed (bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy[copy.length - 4] ^= 1
  return copy
}

const beside = await mkdtemp(join(tmpdir(), 'cellserve-bench-'))
const next = join(beside, 'next')
let reloads = 0
/** Replaces the file with the other version, and waits until that version answers. */
async function reload (): Promise<void> {
  const before = await versionOf()
  reloads++
  await write()
  await rename(next, file)
  process.kill(server.pid, 'SIGHUP')
  while (await versionOf() === before) await setTimeout(10)
}

/** Writing a file also takes the machine's time, so it is done as well while nothing is loaded. */
async function write (): Promise<void> {
  await writeFile(next, versions[reloads % 2])
}

async function versionOf (): Promise<string | null> {
  const { path, headers, body } = step(LARGE)
  const response = await fetch(url + path, { method: 'POST', headers, body: Buffer.from(body) })
  if (!response.ok) throw new Error(await response.text())
  await response.arrayBuffer()
  return response.headers.get('x-model-version')
}

/** Measures with wrk while `act` runs once a second. */
async function whileDoing (act: () => Promise<void>, connections: number, seconds: number): Promise<Rate> {
  const ended = new AbortController()
  const measured = wrk(server, posts, connections, seconds, {}).finally(() => ended.abort())
  while (!ended.signal.aborted) {
    await act()
    if (!ended.signal.aborted) await Promise.race([setTimeout(1000), once(ended.signal, 'abort')])
  }
  return await measured
}

const { say, save } = createReport()

say('# Reload')
say()
say(`${cpus()[0].model}, ${cpus().length} cores, shared by wrk and the service; Node.js ${process.versions.node}; \`POST /step\` of ${SMALL} units over safetensors, ` +
  `while a model of ${(versions[0].length / 1e6).toFixed(0)} MB is replaced once a second, and while its file is written and nothing more; ${ROUNDS} rounds of ${SECONDS} s by turns, medians. Written by \`npm run bench:reload\`.`)
say()
say('| connections | alone, requests a second | p99, ms | beside reloads, requests a second | p99, ms | p99 against alone |')
say('| ---: | ---: | ---: | ---: | ---: | ---: |')
for (const connections of CONNECTIONS) {
  await wrk(server, posts, connections, WARM_UP, {})
  const rounds: Array<{ alone: Rate, beside: Rate }> = []
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ alone: await whileDoing(write, connections, SECONDS), beside: await whileDoing(reload, connections, SECONDS) })
  }
  const cell = (side: 'alone' | 'beside'): string => `${median(rounds.map((round) => round[side].perSecond)).toFixed(0)} | ${median(rounds.map((round) => round[side].p99)).toFixed(2)}`
  say(`| ${connections} | ${cell('alone')} | ${cell('beside')} | ${median(rounds.map(({ alone, beside }) => beside.p99 / alone.p99)).toFixed(2)}x |`)
}
say()
say('Every answer was a 2xx, and every version came to answer.')
await server.stop()
for (const folder of [models, beside]) await rm(folder, { recursive: true })
if (!quick) await save('reload')
