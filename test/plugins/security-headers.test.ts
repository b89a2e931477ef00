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
  assert.match(headers['content-security-policy'], /^default-src 'none';.* script-src 'self';/)
  // Over plain HTTP, which browsers allow on localhost alone otherwise.
  assert.doesNotMatch(headers['content-security-policy'], /upgrade-insecure-requests/)
})
