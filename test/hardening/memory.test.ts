import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import { findAddon } from '../../src/engine/addon.ts'
import { NDJSON } from '../../src/wire/json.ts'
import { onlyFull } from '../support/full.ts'
import { writeModels } from '../support/models.ts'
import { ADDRESS } from '../support/process.ts'
import { customLstm, f32, writeSafetensors } from '../support/safetensors.ts'

const MIB = 2 ** 20
const MAX_BYTES = 300 * MIB
const BODY_LIMIT = 16 * MIB
/** What docs/operating.md promises: what the process takes anyway, twice the bound, and what is being read. */
const MAX_RESIDENT = 130 * MIB + 2 * MAX_BYTES + 4 * BODY_LIMIT

/** Alone on a machine it is tens of milliseconds. */
const MAX_LATENCY = 500

const SAFETENSORS = 'application/vnd.safetensors'

/** The built service with a small heap, as an operator would start it. What is promised of its memory is promised of the native engine. */
async function startBuilt (t: TestContext, ...flags: string[]) {
  const models = await writeModels(t, {
    'cell.safetensors': writeSafetensors(customLstm(2, 6, 3)),
    'wide.safetensors': writeSafetensors(customLstm(64, 64, 64, 0.01)),
    'attention/model.safetensors': writeSafetensors(customLstm(4, 8, 4)),
    'attention/config.json': '{"feedback": {"policy": "attention"}}'
  })
  const child = spawn(process.execPath, ['--max-old-space-size=256', 'dist/main.js', '--port', '0', '--models', models, '--default-model', 'cell', '--engine', findAddon() === undefined ? 'tfjs' : 'native', '--max-bytes', String(MAX_BYTES), '--body-limit', String(BODY_LIMIT), ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(async () => {
    t.diagnostic(`at most ${Math.round(await peakOf(child.pid) / MIB)} MiB were resident`)
    child.kill('SIGKILL')
  })
  const lines = createInterface(child.stdout)
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)))
    lines.on('line', (line) => {
      const [, url] = ADDRESS.exec(line) ?? []
      if (url !== undefined) resolve(Number(new URL(url).port))
    })
  })
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())

  /** Sends a body and takes the answer, however large. */
  async function post (path: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<{ status: number, detail: string, bytes: number }> {
    const request = httpRequest({ port, host: '127.0.0.1', path, method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers } })
    request.end(body)
    const [response] = await once(request, 'response')
    let bytes = 0
    let text = ''
    for await (const chunk of response) {
      bytes += chunk.length
      if (text.length < 1000) text += String(chunk)
    }
    return { status: response.statusCode, detail: text.slice(0, 1000), bytes }
  }

  async function metric (name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1])
  }

  return {
    port,
    post,
    metric,
    /** A connection that reads as little as it can. */
    async open (): Promise<Socket> {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      await once(socket, 'connect')
      socket.pause()
      return socket
    },
    /** Others have their turns meanwhile, even on a machine that is busy. */
    async assertLive (t: TestContext, work: Promise<unknown>): Promise<void> {
      const done = Promise.allSettled([work]).then(() => true)
      const latencies: number[] = []
      while (await Promise.race([done, setTimeout(5, false)]) === false) {
        const start = performance.now()
        assert.equal((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200)
        latencies.push(performance.now() - start)
      }
      const longest = Math.round(Math.max(...latencies))
      t.diagnostic(`/health/live took at most ${longest} ms, ${latencies.length} times`)
      assert.ok(longest < MAX_LATENCY, `/health/live took ${longest} ms`)
    },
    /** Alive, with nothing held any more, never larger than promised, and answering. */
    async assertWell (seconds = 5): Promise<void> {
      assert.equal(child.exitCode, null)
      const held = async (): Promise<number[]> => [await metric('cellserve_live_rows'), await metric('cellserve_live_bytes')]
      for (let i = 0; i < 20 * seconds && (await held()).some((value) => value > 0); i++) await setTimeout(50)
      assert.deepEqual(await held(), [0, 0])
      const { status } = await post('/step', '{"x": [0.5, -0.25]}')
      assert.equal(status, 200)
      const largest = await peakOf(child.pid)
      assert.ok(largest < MAX_RESIDENT, `${largest} bytes were resident, more than ${MAX_RESIDENT}`)
    }
  }
}

/** The most memory that a process has had resident, in bytes; 0 if the system does not say. */
async function peakOf (pid: number | undefined): Promise<number> {
  if (process.platform !== 'linux') return 0
  return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])
}

/** A body that is just not too long. */
const filled = (before: string, item: string, after: string): string =>
  before + item.repeat(Math.floor((BODY_LIMIT - before.length - after.length) / item.length)) + after

/** Bodies that would be expensive to build, and how they are refused. */
const HOSTILE: ReadonlyArray<[name: string, path: string, body: string, status: number, detail: RegExp]> = [
  ['a string for a context', '/sequence?weights=true', filled('{"x":[0,0],"steps":1,"context":"', '0', '"}'), 400, /\/context: the body has more than 1048576 bytes that are not tensors/],
  ['objects in an unknown field', '/step', filled('{"x":[1,2],"y":[', '{},', '{}]}'), 400, /\/y: is not a known field/],
  ['objects in a known field', '/sequence', filled('{"x":[[1,2]],"lengths":[', '{},', '{}]}'), 400, /\/lengths: the body has more than/],
  ['objects in the place of numbers', '/sequence', filled('{"x":[[1,2],[', '{},', '{}]]}'), 400, /\/x\/1\/0: expected a number, got an object/],
  ['members of a context', '/models/attention/sequence', filled('{"x":[0,0,0,0],"steps":1,"context":{"k":0', ',"k":1', '}}'), 400, /\/context\/k: the body has more than/],
  ['a number that only the C library can read', '/step', filled('{"x":[', '0.5,', '1e-400]}'), 422, /expected vectors of 2 numbers/],
  ['rows of one number, the last too large', '/sequence', filled('{"x":[[', '[1],', '[1e400]]]}'), 422, /Infinity is not finite as a float32/],
  ['rows of two lengths', '/sequence', filled('{"x":[[[1,2]],', '[[1,2],[1,2]],', '[[1,2]]]}'), 422, /rows of 2 steps are \d+ steps, more than the 65536 allowed/]
]

const withoutNative = { skip: findAddon() === undefined && 'TensorFlow.js takes too long for it' }

test('the built service with a heap of 256 MiB and bounds of 300', onlyFull('takes seconds'), async (t) => {
  const service = await startBuilt(t)

  for (const [name, path, body, status, detail] of HOSTILE) {
    await t.test(`refuses ${name}, three at a time`, async () => {
      for (const answer of await Promise.all(Array.from({ length: 3 }, async () => await service.post(path, body)))) {
        // Of large bodies not so many have room at once.
        if (answer.status === 503) continue
        assert.equal(answer.status, status, answer.detail)
        assert.match(answer.detail, detail)
      }
      await service.assertWell()
    })
  }

  await t.test('measures ragged rows before it pads them', async () => {
    const body = `{"x":[[[0,0]${',[0,0]'.repeat(8191)}]${',[[0,0]]'.repeat(4095)}]}`
    for (const { status, detail } of await Promise.all(Array.from({ length: 64 }, async () => await service.post('/sequence', body)))) {
      assert.deepEqual([status, /4096 rows of 8192 steps are 33554432 steps/.test(detail)], [422, true], detail)
    }
    await service.assertWell()
  })

  await t.test('keeps room for small requests while a hundred uploads stall', async () => {
    const head = `POST /step HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${BODY_LIMIT}\r\n\r\n`
    const sockets = await Promise.all(Array.from({ length: 100 }, async () => await service.open()))
    const body = Buffer.alloc(BODY_LIMIT - 1, ' ')
    for (const socket of sockets) {
      socket.write(head)
      socket.write(body)
    }
    for (let i = 0; i < 200 && await service.metric('cellserve_live_bytes') < MAX_BYTES / 2 - BODY_LIMIT; i++) await setTimeout(50)
    assert.ok(await service.metric('cellserve_live_bytes') <= MAX_BYTES / 2)
    assert.equal((await service.post('/step', '{"x": [0.5, -0.25]}')).status, 200)
    for (const socket of sockets) socket.destroy()
    await service.assertWell()
  })

  await t.test('lets the rows of streams go whose clients go', withoutNative, async () => {
    // So many rows that there is room for one step of output.
    const body = writeSafetensors({ x: f32([1024, 64], new Array(2 ** 16).fill(0.01)) })
    const head = `POST /models/wide/sequence?steps=64 HTTP/1.1\r\nhost: x\r\ncontent-type: ${SAFETENSORS}\r\naccept: ${NDJSON}\r\ncontent-length: ${body.length}\r\n\r\n`
    for (let i = 0; i < 60; i++) {
      const socket = await service.open()
      socket.write(Buffer.concat([Buffer.from(head), body]))
      await setTimeout(i % 12)
      socket.resetAndDestroy()
    }
    // Long before the deadline, which is half a minute off.
    await service.assertWell(5)
  })

  await t.test('writes an answer of 46 MB in pieces, with turns for others between them', withoutNative, async (t) => {
    const body = JSON.stringify({ x: new Array(64).fill(0.5), steps: 2 ** 16 })
    const large = Promise.all([service.post('/models/wide/sequence', body), service.post('/models/wide/sequence', body, { accept: SAFETENSORS })])
    await service.assertLive(t, large)
    for (const { status, bytes } of await large) assert.deepEqual([status, bytes > 2 ** 24], [200, true])
    await service.assertWell()
  })

  await t.test('reads 400,000 supports for 4,096 rows no longer than it is given, with turns for others', withoutNative, async (t) => {
    const body = JSON.stringify({ x: new Array(4096).fill([0, 0, 0, 0]), steps: 1, return_sequences: false, context: { support: new Array(400_000).fill([0, 0, 0, 1]) } })
    const start = performance.now()
    const late = service.post('/models/attention/sequence', body, { 'x-request-timeout': '1' })
    await service.assertLive(t, late)
    const { status, detail } = await late
    const took = performance.now() - start
    assert.equal(status, 504, detail)
    assert.ok(took < 3000, `a deadline of one second was kept after ${Math.round(took)} ms`)
    await service.assertWell()
  })

  /** Large answers that are sent for with little. */
  const PARTS: ReadonlyArray<[what: string, path: string, request: object, bytes: number]> = [
    ['attention weights', '/models/attention/sequence', { x: [0, 0, 0, 0], steps: 1023, parts: ['attention'], context: { support: new Array(16_384).fill([0, 0, 0, 1]) } }, 64 * MIB],
    // All that there is of a cell of 64 units: h twice, c, and four gates.
    ['states and gates', '/models/wide/sequence', { x: new Array(64).fill(0.5), steps: 2 ** 16, parts: ['h', 'c', 'gates'] }, 7 * 16 * MIB]
  ]
  for (const [what, path, request, bytes] of PARTS) {
    await t.test(`counts ${what} before it makes them`, withoutNative, async () => {
      const body = JSON.stringify(request)
      const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\naccept: ${SAFETENSORS}\r\ncontent-length: ${body.length}\r\n\r\n`
      const statuses: number[] = []
      const sockets = await Promise.all(Array.from({ length: 16 }, async () => await service.open()))
      for (const socket of sockets) {
        socket.write(head + body)
        // No more than the status is read.
        socket.once('readable', () => { statuses.push(Number(String(socket.read(12)).slice(9))) })
      }
      for (let i = 0; i < 400 && statuses.length < sockets.length; i++) await setTimeout(50)
      assert.deepEqual([...new Set(statuses)].sort(), [200, 503])
      const accepted = statuses.filter((status) => status === 200).length
      assert.ok(accepted <= MAX_BYTES / bytes, `${accepted} answers are held`)
      for (const socket of sockets) socket.destroy()
      await service.assertWell()
    })
  }

  await t.test('cuts answers that nobody reads, some seconds after their deadline', withoutNative, async () => {
    const body = JSON.stringify({ x: new Array(64).fill(0.5), steps: 2 ** 14 })
    const sockets = await Promise.all(Array.from({ length: 20 }, async () => await service.open()))
    for (const socket of sockets) {
      socket.write(`POST /models/wide/sequence HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-request-timeout: 4\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    }
    for (let i = 0; i < 100 && await service.metric('cellserve_live_bytes') < 60 * MIB; i++) await setTimeout(50)
    assert.ok(await service.metric('cellserve_live_bytes') >= 60 * MIB, 'they are held while they may be read')
    await service.assertWell(20)
    for (const socket of sockets) if (!socket.destroyed) socket.destroy()
  })
})
