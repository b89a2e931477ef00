import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { createService } from '../../src/service.ts'
import { buildTestApp, testConfig, testEngine } from '../support/app.ts'

test('a server that takes work is alive and ready', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  await request.get('/health/live').expect(200, { status: 'ok' })
  await request.get('/health/ready').expect(200, { status: 'ok' })
})

test('a server that is closing answers what it has begun, refuses new work with a 503, and is alive still', async (t) => {
  const { app } = await createService(testConfig(), await testEngine())
  t.after(() => app.close())
  let release = () => {}
  const held = new Promise<void>((resolve) => { release = resolve })
  app.addHook('preClose', async () => { await held })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const closing = app.close()
  await new Promise((resolve) => setImmediate(resolve))
  const request = supertest(app.server)
  const { body, headers } = await request.get('/health/ready').expect(503).expect('content-type', /^application\/problem\+json/)
  assert.match(body.detail, /shutting down/)
  assert.equal(headers['retry-after'], '1')
  await request.post('/step').send({ x: [1, 2] }).expect(503)
  await request.get('/health/live').expect(200)
  release()
  await closing
})
