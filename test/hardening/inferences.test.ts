import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startService } from '../support/app.ts'
import { createDice } from '../support/dice.ts'
import { scaled } from '../support/full.ts'
import { createConnection, type Answer } from '../support/http.ts'
import { createInferences } from './inferences.ts'

const REQUESTS = Number(process.env.TEST_HARDENING_REQUESTS ?? scaled(6000, 60))
const SEED = Number(process.env.TEST_HARDENING_SEED ?? 1)

/** Fails if it is neither an error in words nor an answer whose outputs are as long as they say. */
function check ({ status, headers, body }: Answer): void {
  assert.ok(status < 500 || status === 503 || status === 504, `${status}: ${body.toString()}`)
  const length = Number(headers.get('inference-header-content-length') ?? body.length)
  const head: { error?: unknown, model_name?: unknown, name?: unknown, outputs?: ReadonlyArray<{ shape: number[], datatype: string, data?: number[], parameters?: { binary_data_size: number } }> } = JSON.parse(body.subarray(0, length).toString())
  if (status !== 200) {
    assert.equal(headers.get('content-type'), 'application/json')
    assert.deepEqual(Object.keys(head), ['error'])
    assert.ok(typeof head.error === 'string' && head.error.length > 5, body.toString())
    return
  }
  if (head.name !== undefined) return
  assert.equal(typeof head.model_name, 'string')
  let at = length
  for (const { shape, datatype, data, parameters } of head.outputs ?? assert.fail(body.toString())) {
    const numbers = shape.reduce((a, b) => a * b, 1)
    assert.equal(datatype, 'FP32')
    if (data === undefined) {
      assert.equal(parameters?.binary_data_size, 4 * numbers)
      at += 4 * numbers
    } else {
      assert.equal(data.length, numbers)
      assert.ok(data.every(Number.isFinite))
    }
  }
  assert.equal(at, body.length)
}

test(`${REQUESTS} inference requests, good and not: each is answered as the protocol says, and none with a 5xx (seed ${SEED})`, async (t) => {
  const { app, admission } = await startService(t)
  const inferences = createInferences(createDice(SEED))
  const statuses = new Map<number, number>()
  let left = REQUESTS
  await Promise.all(Array.from({ length: 8 }, async () => {
    const connection = createConnection(Number(new URL(app.listeningOrigin).port))
    while (left-- > 0) {
      const { bytes, good } = inferences.next()
      try {
        const answer = await connection.send(bytes, false)
        check(answer)
        // Another of the sequence may have ended it, or taken a step meanwhile.
        if (good) assert.ok([200, 404, 409, 410].includes(answer.status), `${answer.status} ${answer.body.toString()}`)
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      } catch (error) {
        throw new Error(`to ${JSON.stringify(bytes.subarray(0, 2000).toString('latin1'))}`, { cause: error })
      }
    }
    connection.close()
  }))
  const counted = [...statuses].map(([status, count]) => `${count} of ${status}`).join(', ')
  t.diagnostic(counted)
  for (const [status, least] of [[200, 0.3], [400, 0.2], [422, 0.01], [404, 0.01]]) assert.ok((statuses.get(status) ?? 0) / REQUESTS > least, counted)
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})
