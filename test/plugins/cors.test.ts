import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp } from '../support/app.ts'

const PREFLIGHT = { origin: 'https://a.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' }

test('pages of other origins may not call where no origin is set, and a preflight is told how it could be', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { headers } = await request.post('/step').set('origin', 'https://a.example').send({ x: [1, 2] }).expect(200)
  assert.equal(headers['access-control-allow-origin'], undefined)
  const { body } = await request.options('/step').set(PREFLIGHT).expect(405)
  assert.equal(body.detail, '/step accepts POST, not OPTIONS; pages of other origins may call if --cors-origin names them')
})

test('pages of the origins that are set may call, and read of an answer when to try again and which it was', async (t) => {
  const request = supertest((await buildTestApp(t, '--cors-origin', 'https://a.example', '--cors-origin', 'https://b.example', '--api-key', 'correct-horse')).server)
  const { headers: preflight } = await request.options('/step').set(PREFLIGHT).expect(204)
  assert.equal(preflight['access-control-allow-origin'], 'https://a.example')
  assert.match(preflight['access-control-allow-methods'], /POST/)
  assert.equal(preflight['access-control-allow-headers'], 'authorization,content-type')
  assert.equal(preflight['access-control-max-age'], '7200')
  assert.equal((await request.options('/step').set({ ...PREFLIGHT, origin: 'https://c.example' })).headers['access-control-allow-origin'], undefined)
  // Answers of any kind, so that a page can read what is wrong.
  for (const [key, status] of [['correct-horse', 200], ['no-such-key', 401]] as const) {
    const { headers } = await request.post('/step').set({ origin: 'https://b.example', 'x-api-key': key }).send({ x: [1, 2] }).expect(status)
    assert.equal(headers['access-control-allow-origin'], 'https://b.example')
    assert.match(headers['access-control-expose-headers'], /x-request-id, retry-after/)
    assert.equal(headers.vary, 'Origin')
  }
})

test('what OPTIONS asks without being a preflight is a problem', async (t) => {
  const request = supertest((await buildTestApp(t, '--cors-origin', '*')).server)
  const { body } = await request.options('/step').set('origin', 'https://a.example').expect(400).expect('content-type', /^application\/problem\+json/)
  assert.equal(body.detail, 'OPTIONS is for preflights, which have the headers origin and access-control-request-method')
})

test('* is all origins', async (t) => {
  const request = supertest((await buildTestApp(t, '--cors-origin', '*')).server)
  assert.equal((await request.options('/step').set(PREFLIGHT).expect(204)).headers['access-control-allow-origin'], '*')
})

test('what is not there, and what takes another method, stay so', async (t) => {
  const request = supertest((await buildTestApp(t, '--cors-origin', 'https://a.example')).server)
  for (const method of ['get', 'post', 'delete'] as const) await request[method]('/nothing').expect(404).expect('content-type', /problem\+json/)
  const { headers, body } = await request.get('/step').expect(405)
  assert.equal(headers.allow, 'POST')
  assert.equal(body.detail, '/step accepts POST, not GET')
})
