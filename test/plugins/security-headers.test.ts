import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp } from '../support/app.ts'

test('answers and refusals tell browsers to guess, run, frame and keep nothing', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  for (const sent of [{ x: [1, 2] }, { x: 'no' }]) {
    const { headers } = await request.post('/step').send(sent)
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.match(headers['content-security-policy'], /^default-src 'none'/)
    assert.equal(headers['cache-control'], 'no-store')
  }
})

test('the pages of /docs may run what they bring, and no more', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { headers } = await request.get('/docs/').expect(200)
  assert.match(headers['content-security-policy'], /default-src 'self'.*script-src 'self'/)
})

test('pages of other origins may call only if that is set', async (t) => {
  const preflight = { origin: 'https://a.example', 'access-control-request-method': 'POST' }
  const closed = supertest((await buildTestApp(t)).server)
  assert.equal((await closed.post('/step').set('origin', 'https://a.example').send({ x: [1, 2] }).expect(200)).headers['access-control-allow-origin'], undefined)
  await closed.options('/step').set(preflight).expect(405)
  const open = supertest((await buildTestApp(t, '--cors-origin', 'https://a.example', '--cors-origin', 'https://b.example', '--api-key', 'correct-horse')).server)
  const { headers } = await open.options('/step').set(preflight).expect(204)
  assert.equal(headers['access-control-allow-origin'], 'https://a.example')
  assert.match(headers['access-control-allow-methods'], /POST/)
  assert.equal((await open.options('/step').set({ ...preflight, origin: 'https://c.example' })).headers['access-control-allow-origin'], undefined)
})
