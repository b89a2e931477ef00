import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { startService } from './support/app.ts'

test('who refuses first: a drain, then a missing key, then an overload', async (t) => {
  const { app, admission } = await startService(t, '--api-key', 'correct-horse', '--max-rows', '1')
  const request = supertest(app.listeningOrigin)
  const step = async (key: string): Promise<number> => (await request.post('/step').set('x-api-key', key).send({ x: [1, 2] })).status
  const other = admission.reserve()
  other.enter(1)
  assert.equal(await step('battery-staple'), 401)
  assert.equal(await step('correct-horse'), 503)
  other.leave(1)
  assert.equal(await step('correct-horse'), 200)
  const drained = app.drain(1000)
  const { status, body } = await request.post('/step').send({ x: [1, 2] })
  assert.deepEqual([status, body.detail], [503, 'the server is shutting down; another replica may answer'])
  await drained
})
