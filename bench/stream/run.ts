/**
 * Steps over WebSockets against `POST /step` with safetensors, in one run. The server and its client have one core each; wrk drives
 * `/step`, and bench/stream/client.cc the sockets, for a client in JavaScript would be slower than the server:
 *
 *     npm run bench:stream                 five rounds; writes bench/results/stream.md
 *     npm run bench:stream -- --quick      one short round; writes nothing
 *
 * It takes g++ and wrk.
 */
import { execFile, execFileSync } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SAFETENSORS } from '../../src/wire/safetensors.ts'
import { f32, writeSafetensors } from '../../test/support/safetensors.ts'
import { startCellserve } from '../load/servers.ts'
import { median, random, writeBenchModels } from '../models.ts'

const run = promisify(execFile)
const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 1 : 5
const SECONDS = quick ? 1 : 3
const CONNECTIONS = [1, 64]
const N = 64

await mkdir('build', { recursive: true })
execFileSync('g++', ['-O2', '-std=c++17', 'bench/stream/client.cc', '-o', 'build/stream-client'], { stdio: 'inherit' })
const models = await writeBenchModels([N])
const server = await startCellserve('cellserve', models, [], { core: 0 })

// What a client that owns the feedback sends: x, and the states of the step before.
const body = writeSafetensors({ x: f32([1, N], random(N)), h_in: f32([1, N], random(N)), c_in: f32([1, N], random(N)) })
const script = join(models, 'step.lua')
const escaped = [...body].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')
await writeFile(script, `wrk.method = "POST"\nwrk.headers["content-type"] = "${SAFETENSORS}"\nwrk.body = "${escaped}"\n`)

/** Answers per second, and their p50 in milliseconds. */
interface Rate {
  readonly perSecond: number
  readonly p50: number
}

/** The same, and how long the server computes for an answer, in microseconds: that is the same on a busy machine. */
async function measured (ask: (connections: number, seconds: number) => Promise<Rate>, connections: number): Promise<Rate & { readonly cpu: number }> {
  const before = await server.cpu()
  const rate = await ask(connections, SECONDS)
  return { ...rate, cpu: (await server.cpu() - before) / (rate.perSecond * SECONDS) * 1e6 }
}

async function steps (connections: number, seconds: number): Promise<Rate> {
  const { stdout } = await run('taskset', ['-c', '1', 'wrk', '-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--latency', '-s', script, `http://127.0.0.1:${server.port}/models/${N}/step`])
  if (stdout.includes('Non-2xx')) throw new Error(stdout)
  const [, p50, unit] = /50%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? []
  return { perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), p50: Number(p50) * (unit === 'us' ? 0.001 : unit === 'ms' ? 1 : 1000) }
}

async function frames (connections: number, seconds: number): Promise<Rate> {
  const { stdout } = await run('taskset', ['-c', '1', 'build/stream-client', String(server.port), `/models/${N}/stream`, String(connections), String(N), String(seconds)])
  const [perSecond, p50] = stdout.split(' ').map(Number)
  return { perSecond, p50 }
}

const lines: string[] = []
const say = (line = ''): void => {
  console.log(line)
  lines.push(line)
}
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
  const rounds: Array<{ stream: Awaited<ReturnType<typeof measured>>, step: Awaited<ReturnType<typeof measured>> }> = []
  for (let round = 0; round < ROUNDS; round++) rounds.push({ stream: await measured(frames, connections), step: await measured(steps, connections) })
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
if (!quick) await writeFile(new URL('../results/stream.md', import.meta.url), lines.join('\n') + '\n')
