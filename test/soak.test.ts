import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startService, testEngine } from './support/app.ts'
import { onlyFull } from './support/full.ts'
import { createConnection, post, type Answer } from './support/http.ts'
import { createRandom } from './support/random.ts'

const { TEST_SOAK_SECONDS } = process.env
/** A few seconds in the full suite; TEST_SOAK_SECONDS=300 soaks for five minutes. */
const SECONDS = Number(TEST_SOAK_SECONDS ?? 6)

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

const random = createRandom(42)
const below = (n: number): number => Math.floor(random() * n)
const numbers = (...shape: number[]): unknown => {
  const [size, ...rest] = shape
  return Array.from({ length: size }, () => rest.length === 0 ? random() * 2 - 1 : numbers(...rest))
}

/** One request, on a connection of its own. */
async function once (port: number, request: Buffer): Promise<Answer> {
  const connection = createConnection(port)
  const answer = await connection.send(request, false)
  connection.close()
  return answer
}

const HEAD = 'POST /step HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'

function goodRequest (): Buffer {
  const B = 1 + below(8)
  switch (below(4)) {
    case 0: return post('/step', { x: numbers(B, 2), h_in: numbers(6) })
    case 1: return post('/sequence', { x: numbers(B, 1 + below(50), 2), c_in: numbers(B, 3) })
    case 2: return post('/models/symmetric/sequence', { x: Array.from({ length: B }, () => numbers(1 + below(300), 2)), return_sequences: false })
    default: return post('/models/matching-networks/sequence', { x: numbers(B, 4), steps: 1 + below(30), context: { support: numbers(1 + below(20), 4) }, ...(below(2) === 0 && { parts: ['attention'] }) })
  }
}

test(`${SECONDS} seconds of all sorts of requests at once: every answer is the same as alone, and nothing is left behind`, TEST_SOAK_SECONDS === undefined ? onlyFull('takes seconds') : {}, async (t) => {
  const { app, admission } = await startService(t)
  const address = app.server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const { port } = address
  // TensorFlow.js sums in an order that depends on the batch, so only the status is the same.
  const exact = (await testEngine()).name === 'native'

  const good: Array<{ request: Buffer, body: Buffer }> = []
  for (let i = 0; i < 60; i++) {
    const request = goodRequest()
    const { status, body } = await once(port, request)
    assert.equal(status, 200)
    good.push({ request, body })
  }

  const counts = new Map<string, number>()
  const count = (name: string): void => { counts.set(name, (counts.get(name) ?? 0) + 1) }

  async function anyRequest (): Promise<void> {
    const kind = below(10)
    if (kind < 7) {
      const { request, body } = good[below(good.length)]
      const answer = await once(port, request)
      assert.equal(answer.status, 200)
      if (exact) assert.deepEqual(answer.body, body)
      count('answered')
    } else if (kind === 7) {
      const { status } = await once(port, Buffer.from(`${HEAD}content-length: 9\r\n\r\n{"x": [1,`))
      assert.equal(status, 400)
      count('malformed')
    } else if (kind === 8) {
      const { request } = good[below(good.length)]
      const { status } = await once(port, Buffer.from(request.toString().replace('host:', 'x-request-timeout: 0.0001\r\nhost:')))
      assert.ok(status === 200 || status === 504, String(status))
      count('impatient')
    } else {
      const { request } = good[below(good.length)]
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(request.slice(0, 1 + below(2 * request.length)))
      await setTimeout(below(5))
      socket.destroy()
      count('gone')
    }
  }

  const heaps: number[] = []
  for (let third = 0; third < 3; third++) {
    const until = performance.now() + SECONDS * 1000 / 3
    // A slow machine takes longer: a few requests would show nothing.
    let least = 150
    await Promise.all(Array.from({ length: 24 }, async () => {
      while (least-- > 0 || performance.now() < until) await anyRequest()
    }))
    await setTimeout(200)
    assert.deepEqual([admission.rows, admission.bytes], [0, 0])
    collectGarbage()
    heaps.push(process.memoryUsage().heapUsed / 2 ** 20)
  }
  t.diagnostic([...counts].map(([name, n]) => `${n} ${name}`).join(', '))
  t.diagnostic(`heap ${heaps.map((heap) => heap.toFixed(1)).join(', ')} MiB`)
  for (const name of ['answered', 'malformed', 'impatient', 'gone']) assert.ok((counts.get(name) ?? 0) > 10, name)
  assert.ok(heaps[heaps.length - 1] < heaps[0] + 10, `the heap grew: ${heaps.join(', ')} MiB`)
})
