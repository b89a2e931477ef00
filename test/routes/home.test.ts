import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { version } from '../../src/version.ts'
import { buildTestApp } from '../support/app.ts'

test('a browser is led to the reference, with and without keys', async (t) => {
  for (const flags of [[], ['--api-key', 'correct-horse']]) {
    const request = supertest((await buildTestApp(t, ...flags)).server)
    const { headers } = await request.get('/').set('accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8').expect(302)
    assert.equal(headers.location, 'docs/')
    assert.equal(headers.vary, 'accept')
    await request.get(`/${headers.location}`).expect(200).expect('content-type', /html/)
  }
})

test('a program is told where things are, and they are there', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  for (const accept of ['*/*', 'application/json']) {
    const { body } = await request.get('/').set('accept', accept).expect(200).expect('content-type', /json/)
    const { name, version: told, ...places } = body
    assert.deepEqual([name, told], ['cellserve', version])
    assert.equal(Object.keys(places).length, 3)
    for (const place of Object.values<string>(places)) await request.get(place).expect(200)
  }
})
