import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once as event } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { SAFETENSORS } from '../../src/wire/safetensors.ts'
import { postBytes } from '../../test/support/http.ts'
import { customLstm, f32, writeSafetensors } from '../../test/support/safetensors.ts'
import { median, random, writeBenchModels } from '../models.ts'
import { once } from './client.ts'
import { startCellserve } from './servers.ts'

const LONE = fileURLToPath(new URL('lone.ts', import.meta.url))
const UNITS = 97
const READ = 256
const BESIDE = ['4,000 rows x 16 steps', 'one row of 60,000 steps', '64 rows x 16 steps of attention over 4,096 supports'] as const

/** The p50 and p99 of a lone step, in milliseconds. */
interface Times {
  readonly p50: number
  readonly p99: number
}

/**
 * Measures a lone step of a small cell, from a client in a separate process, while one large request after the other runs. Each round
 * measures every large request in turn, and the lone step without any.
 */
export async function beside (say: (line?: string) => void, rounds: number, ms: number): Promise<void> {
  const models = await writeBenchModels([UNITS])
  await writeReader(models)
  const server = await startCellserve('cellserve', models, ['--body-limit', String(2 ** 26)])
  const step = bytesOf(`/models/${UNITS}/step`, { x: [1, UNITS], h_in: [1, UNITS], c_in: [1, UNITS] })
  const large: Readonly<Record<typeof BESIDE[number], Buffer>> = {
    '4,000 rows x 16 steps': bytesOf(`/models/${UNITS}/sequence?return_sequences=false&fields=h_out`, { x: [4000, 16, UNITS] }),
    'one row of 60,000 steps': bytesOf(`/models/${UNITS}/sequence?return_sequences=false&fields=h_out`, { x: [1, 60_000, UNITS] }),
    '64 rows x 16 steps of attention over 4,096 supports': bytesOf('/models/reader/sequence?return_sequences=false&fields=h_out', { x: [64, 16, READ], support: [4096, READ] })
  }
  const all: Array<{ alone: Times, beside: Times[] }> = []
  for (let round = 0; round < rounds; round++) {
    const alone = await lone(server.port, step, ms)
    const times: Times[] = []
    for (const name of BESIDE) times.push(await during(server.port, large[name], async () => await lone(server.port, step, ms)))
    all.push({ alone, beside: times })
  }
  await server.stop()
  await rm(models, { recursive: true })

  say(`A lone \`/step\` of ${UNITS} units in safetensors, on one connection, while one large request after the other runs, in ms:`)
  say()
  say('| beside | p50 | p99 | p99 more than alone |')
  say('| --- | ---: | ---: | ---: |')
  const figure = (of: (round: typeof all[number]) => number): string => median(all.map(of)).toFixed(2)
  say(`| nothing | ${figure(({ alone }) => alone.p50)} | ${figure(({ alone }) => alone.p99)} | |`)
  for (const [i, name] of BESIDE.entries()) {
    say(`| ${name} | ${figure((round) => round.beside[i].p50)} | ${figure((round) => round.beside[i].p99)} | ${figure((round) => round.beside[i].p99 - round.alone.p99)} |`)
  }
  say()
}

/** Writes a model that reads its h and an attention read. */
async function writeReader (models: string): Promise<void> {
  const folder = join(models, 'reader')
  await mkdir(folder)
  const config = { feedback: { policy: 'attention' } }
  await writeFile(join(folder, 'model.safetensors'), writeSafetensors(customLstm(READ, 2 * READ, READ, 1 / READ)))
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
}

function bytesOf (path: string, shapes: Readonly<Record<string, readonly number[]>>): Buffer {
  const tensors = Object.entries(shapes).map(([name, shape]) => [name, f32(shape, random(shape.reduce((a, b) => a * b)))])
  return postBytes(path, SAFETENSORS, writeSafetensors(Object.fromEntries(tensors)))
}

async function lone (port: number, request: Buffer, ms: number): Promise<Times> {
  const child = spawn(process.execPath, ['--import', 'tsx', LONE, String(port), String(ms)], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(request)
  const [answer] = await Promise.all([text(child.stdout), event(child, 'exit')])
  const times: unknown = JSON.parse(answer)
  assert.ok(typeof times === 'object' && times !== null && 'p50' in times && 'p99' in times)
  return { p50: Number(times.p50), p99: Number(times.p99) }
}

/** Sends one large request after the other while `act` runs. */
async function during<T> (port: number, large: Buffer, act: () => Promise<T>): Promise<T> {
  const controller = { ended: false }
  const others = (async () => {
    while (!controller.ended) {
      assert.equal((await once(port, large)).status, 200)
    }
  })()
  try {
    return await act()
  } finally {
    controller.ended = true
    await others
  }
}
