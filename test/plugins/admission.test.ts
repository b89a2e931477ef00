import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { test } from 'node:test'
import supertest from 'supertest'
import { startService } from '../support/app.ts'

/** Many steps of the demo attention model, computed one by one. */
const LONG = { x: Array.from({ length: 100 }, () => [1, 0, 0, 1]), steps: 600, return_sequences: false, context: { support: Array.from({ length: 400 }, () => [1, 0, 0, 0]) } }
const URL = '/models/matching-networks/sequence'

async function stepsComputed (metrics: { register: { metrics (): Promise<string> } }): Promise<number> {
  return Number(/^cellserve_steps_total\{model="matching-networks"\} (\d+)$/m.exec(await metrics.register.metrics())?.[1])
}

test('a client that disconnects takes its rows with it, and the computing stops', async (t) => {
  const { app, admission, metrics } = await startService(t)
  const address = app.server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const client = httpRequest({ port: address.port, path: URL, method: 'POST', headers: { 'content-type': 'application/json' } })
  client.on('error', () => {})
  client.end(JSON.stringify(LONG))
  while (admission.rows === 0) await setTimeout(1)
  client.destroy()
  for (let i = 0; admission.rows > 0 && i < 1000; i++) await setTimeout(5)
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
  const computed = await stepsComputed(metrics)
  assert.ok(computed < 60_000, `${computed} of 60000 steps were computed`)
  await setTimeout(50)
  assert.equal(await stepsComputed(metrics), computed)
  await supertest(app.server).post('/step').send({ x: [1, 2] }).expect(200)
})

test('a request\'s own time is a header, and past it the answer is a 504', async (t) => {
  const { app, admission } = await startService(t)
  const request = supertest(app.server)
  const { body } = await request.post(URL).set('x-request-timeout', '0.05').send(LONG).expect(504).expect('content-type', /^application\/problem\+json/)
  assert.match(body.detail, /model matching-networks: the answer was not ready in the time allowed/)
  assert.equal(admission.rows, 0)
  await request.post('/step').set('x-request-timeout', 'soon').send({ x: [1, 2] }).expect(400)
})

test('the server\'s time bounds the request\'s', async (t) => {
  const { app } = await startService(t, '--request-timeout', '0.05')
  await supertest(app.server).post(URL).set('x-request-timeout', '100').send(LONG).expect(504)
})

test('where there is no room the answer is a 503 with Retry-After, and what was accepted is answered', async (t) => {
  const { app, admission } = await startService(t, '--max-rows', '100')
  const request = supertest(app.server)
  const accepted = request.post(URL).send({ ...LONG, steps: 100 }).then((answer) => answer)
  while (admission.rows === 0) await setTimeout(1)
  const { headers, body } = await request.post('/step').send({ x: [1, 2] }).expect(503)
  assert.equal(headers['retry-after'], '1')
  assert.match(body.detail, /overloaded: 100 rows and \d+ bytes are in work/)
  await request.get('/health/live').expect(200)
  assert.equal((await accepted).status, 200)
  await request.post('/step').send({ x: [1, 2] }).expect(200)
})
