import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import supertest from 'supertest'
import { buildTestApp, testEngine } from './support/app.ts'
import { closeTo } from './support/close.ts'
import { freePort } from './support/free-port.ts'
import { onlyFull } from './support/full.ts'
import { run, type Running } from './support/process.ts'
import { createRandom, randomFloats } from './support/random.ts'
import { until } from './support/until.ts'
import { startValkey, withValkey } from './support/valkey.ts'

/** How many sessions of how many steps, and how often something is killed meanwhile: TEST_REPLICAS=1000x200x60 is a long run. */
const [SESSIONS, STEPS, KILLS] = (process.env.TEST_REPLICAS ?? '60x40x5').split('x').map(Number)
const WORKERS = 16
/** One in this many kills is of the store. */
const STORE = 4
/** How many replicas there are. */
const REPLICAS = 3

const MODELS = [
  { name: 'custom-lstm', width: 2, context: undefined },
  { name: 'matching-networks', width: 4, context: { support: [[1, 0, 0, 0], [0, 1, 0, 0], [0.5, -0.5, 0.25, 1]] } }
]

interface Answer {
  readonly status: number
  readonly location: string
  readonly body: { readonly t?: number, readonly output?: number[], readonly detail?: string }
}

test('whatever is killed under load, every step of every session is taken once', { skip: withValkey.skip || (process.env.TEST_REPLICAS === undefined && onlyFull('takes seconds').skip), timeout: 900_000 }, async (t) => {
  const store = await startValkey(t, '--appendonly', 'yes', '--appendfsync', 'always')
  const ports = await Promise.all(Array.from({ length: REPLICAS }, freePort))
  const start = (port: number): Running => run(t, '--port', String(port), '--sessions', store.url, '--log-level', 'warn', '--threads', '1')
  const replicas = ports.map(start)
  const agent = new Agent({ keepAlive: true })
  t.after(() => { agent.destroy() })
  const counts = { taken: 0, again: 0, replicas: 0, stores: 0, finished: false }

  /** Sends the same bytes to any replica until one answers. */
  async function send (path: string, body: object): Promise<Answer> {
    const bytes = JSON.stringify(body)
    for (let tries = 0; tries < 3000; tries++) {
      const port = ports[Math.floor(Math.random() * ports.length)]
      const answer = await post(agent, port, path, bytes).catch(() => undefined)
      if (answer !== undefined && answer.status !== 503) return answer
      counts.again++
      await setTimeout(20)
    }
    return assert.fail('no replica answers')
  }

  /** Kills one after the other, each time that so much of the work is done. */
  async function kill (): Promise<void> {
    for (let i = 1; i <= KILLS; i++) {
      await until(() => counts.finished || counts.taken >= SESSIONS * STEPS * i / (KILLS + 1), 'progress')
      if (counts.finished) return
      if (i % STORE === 0) {
        counts.stores++
        await store.signal('SIGKILL')
        await setTimeout(50)
        await store.restart()
      } else {
        const victim = i % ports.length
        counts.replicas++
        replicas[victim].stop('SIGKILL')
        await replicas[victim].exited
        replicas[victim] = start(ports[victim])
      }
    }
  }

  const inputs = Array.from({ length: SESSIONS }, (_, i) => {
    const { width } = MODELS[i % MODELS.length]
    const numbers = randomFloats(STEPS * width, createRandom(i + 1))
    return Array.from({ length: STEPS }, (_, s) => [...numbers.subarray(s * width, (s + 1) * width)])
  })
  const outputs: number[][][] = inputs.map(() => [])
  let next = 0

  async function work (): Promise<void> {
    for (let i = next++; i < SESSIONS; i = next++) {
      const { name, context } = MODELS[i % MODELS.length]
      const made = await send(`/models/${name}/sessions`, { context })
      assert.equal(made.status, 201, JSON.stringify(made.body))
      for (const [s, x] of inputs[i].entries()) {
        const { status, body } = await send(`${made.location}/step`, { x, t: s })
        assert.equal(status, 200, `session ${i}, step ${s}: ${body.detail}`)
        assert.equal(body.t, s + 1)
        outputs[i].push(body.output ?? [])
        counts.taken++
      }
    }
  }

  await until(async () => (await Promise.all(ports.map(async (port) => (await post(agent, port, '/models/custom-lstm/sessions', '{}').catch(() => undefined))?.status === 201))).every(Boolean), 'all replicas')
  const killing = kill()
  await Promise.all(Array.from({ length: WORKERS }, work))
  counts.finished = true
  await killing
  t.diagnostic(`${SESSIONS} sessions of ${STEPS} steps: ${counts.replicas} replicas and ${counts.stores} stores killed, ${counts.again} requests sent again`)
  assert.ok(counts.replicas > 0 && counts.stores > 0 && counts.again > 0)

  const alone = supertest((await buildTestApp(t)).server)
  const exact = (await testEngine()).name === 'native'
  for (const [i, x] of inputs.entries()) {
    const { name, context } = MODELS[i % MODELS.length]
    const { body } = await alone.post(`/models/${name}/sequence`).send({ x: [x], context, fields: ['output'] }).expect(200)
    if (exact) assert.deepEqual(outputs[i], body.output[0], `session ${i}`)
    else closeTo(outputs[i].flat(), body.output[0].flat())
  }
})

async function post (agent: Agent, port: number, path: string, body: string): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const sent = request({ agent, host: '127.0.0.1', port, path, method: 'POST', headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }, timeout: 20_000 }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => { text += String(chunk) }).on('error', reject).on('aborted', () => { reject(new Error('aborted')) }).on('end', () => {
        resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '', body: JSON.parse(text) })
      })
    })
    sent.on('timeout', () => { sent.destroy(new Error('no answer')) }).on('error', reject).end(body)
  })
}
