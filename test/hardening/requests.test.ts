import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import supertest from 'supertest'
import { startService } from '../support/app.ts'
import { createDice } from '../support/dice.ts'
import { onlyFull } from '../support/full.ts'
import { createConnection } from '../support/http.ts'
import { writeModels } from '../support/models.ts'
import { readDocument } from './document.ts'
import { createRequests } from './requests.ts'

const { TEST_HARDENING_REQUESTS } = process.env
const REQUESTS = Number(TEST_HARDENING_REQUESTS ?? 20_000)
const SEED = Number(process.env.TEST_HARDENING_SEED ?? 1)

/** The demo models, and two that read ids. */
async function demoAndWhole (t: Pick<TestContext, 'after'>): Promise<string> {
  const folder = await writeModels(t, {})
  await cp('models', folder, { recursive: true })
  for (const name of ['tagger', 'ends']) await cp(`test/fixtures/whole/${name}`, join(folder, name), { recursive: true })
  return folder
}

test(`${REQUESTS} requests, good and not: each is answered as the OpenAPI document says, and none with a 5xx (seed ${SEED})`, TEST_HARDENING_REQUESTS === undefined ? onlyFull('takes seconds') : {}, async (t) => {
  const { app, admission } = await startService(t, '--models', await demoAndWhole(t))
  const known = await supertest(app.server).post('/step').send({ x: [0.5, -0.25] }).expect(200)
  const document = readDocument((await supertest(app.server).get('/openapi.json').expect(200)).body)
  const sessions: string[] = []
  for (let i = 0; i < 20; i++) sessions.push((await supertest(app.server).post('/models/custom-lstm/sessions').send({}).expect(201)).body.session)
  for (const ended of sessions.slice(0, 2)) await supertest(app.server).delete(`/sessions/${ended}`).expect(204)
  const requests = createRequests(createDice(SEED), sessions)
  const statuses = new Map<number, number>()
  let good = 0

  let left = REQUESTS
  await Promise.all(Array.from({ length: 8 }, async () => {
    const connection = createConnection(Number(new URL(app.listeningOrigin).port))
    while (left-- > 0) {
      const sent = requests.next()
      const bodyless = sent.method === 'HEAD'
      try {
        const answer = await connection.send(sent.bytes, bodyless)
        document.check(answer, document.find(sent.method, sent.path), bodyless)
        if (sent.good) {
          good++
          // One of the names has no model, numbers may be so large that the arithmetic overflows, and sessions are elsewhere, or ended; a slow
          // engine may need longer than a request allows.
          const inTime = answer.status !== 504 || sent.bytes.includes('x-request-timeout')
          assert.ok(inTime && [200, 201, 204, 404, 409, 410, 422, 504].includes(answer.status), `${answer.status} ${answer.body.toString()}`)
        }
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      } catch (error) {
        throw new Error(`to ${JSON.stringify(sent.bytes.subarray(0, 2000).toString('latin1'))}`, { cause: error })
      }
    }
    connection.close()
  }))

  const counted = [...statuses].map(([status, count]) => `${count} of ${status}`).join(', ')
  t.diagnostic(counted)
  const share = (status: number): number => (statuses.get(status) ?? 0) / REQUESTS
  assert.ok(good > 0.3 * REQUESTS)
  for (const [status, least] of [[200, 0.3], [400, 0.1], [422, 0.01], [404, 0.01], [405, 0.005], [415, 0.005], [201, 0.01], [409, 0.005], [410, 0.001]]) assert.ok(share(status) > least, counted)

  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
  await supertest(app.server).get('/health/ready').expect(200)
  const { body } = await supertest(app.server).post('/step').send({ x: [0.5, -0.25] }).expect(200)
  assert.deepEqual(body, known.body)
})
