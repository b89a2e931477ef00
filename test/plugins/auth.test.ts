import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp, testConfig } from '../support/app.ts'
import { readKeys } from '../../src/config/keys.ts'
import { writeModels } from '../support/models.ts'

const KEYS = ['--api-key', 'correct-horse', '--api-key', 'battery-staple']

test('without keys everybody is served', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  await request.post('/step').send({ x: [1, 2] }).expect(200)
  await request.post('/step').set('authorization', 'Bearer whatever').send({ x: [1, 2] }).expect(200)
})

test('with keys those who send one of them are served, by either header', async (t) => {
  const request = supertest((await buildTestApp(t, ...KEYS)).server)
  for (const [name, value] of [
    ['authorization', 'Bearer correct-horse'], ['authorization', 'bearer  battery-staple'], ['x-api-key', 'battery-staple']
  ]) await request.post('/step').set(name, value).send({ x: [1, 2] }).expect(200)
  await request.post('/step').set({ authorization: 'Bearer correct-horse', 'x-api-key': '' }).send({ x: [1, 2] }).expect(200)
  for (const [name, value] of [
    ['x-none', ''], ['authorization', 'Bearer'], ['authorization', 'Bearer '], ['authorization', 'correct-horse'],
    ['authorization', 'Basic correct-horse'], ['authorization', 'Bearer correct-hors'], ['authorization', 'Bearer correct-horse2'],
    ['authorization', 'Bearer correct-horse battery-staple'], ['x-api-key', ''], ['x-api-key', 'Correct-horse'], ['x-api-key', 'correct-horse, battery-staple']
  ]) {
    const { body, headers } = await request.post('/step').set(name, value).send({ x: [1, 2] }).expect(401).expect('content-type', /problem\+json/)
    assert.equal(headers['www-authenticate'], 'Bearer realm="cellserve"')
    // The same answer for every wrong key, and never the key itself.
    assert.equal(body.detail, 'expected an API key, as Authorization: Bearer KEY or as X-API-Key: KEY')
  }
})

test('health and the reference are open; all else takes a key, the metrics and what is not there as well', async (t) => {
  const request = supertest((await buildTestApp(t, ...KEYS)).server)
  for (const path of ['/', '/health/live', '/health/ready', '/openapi.json', '/docs', '/docs/', '/docs/json', '/docs/yaml', '/docs/static/swagger-ui-bundle.js', '/docs/static/theme/icon.svg']) {
    await request.get(path).expect(200)
  }
  for (const path of ['/metrics', '/models', '/models/custom-lstm', '/nothing', '/docs/nothing']) {
    await request.get(path).expect(401)
    await request.get(path).set('x-api-key', 'correct-horse').expect(path.endsWith('nothing') ? 404 : 200)
  }
})

test('a key file has one key per line; one without a key, or with a wrong one, stops the start without showing it', async (t) => {
  const folder = await writeModels(t, { good: '# ours\n\nfirst-of-two\n  second-of-two  \n', empty: '# none yet\n', bad: 'good-enough\nwith space\n' })
  assert.deepEqual(await readKeys(testConfig('--api-key-file', `${folder}/good`, '--api-key', 'a-third-one')), ['a-third-one', 'first-of-two', 'second-of-two'])
  await assert.rejects(readKeys(testConfig('--api-key-file', `${folder}/empty`)), /empty has no key$/)
  await assert.rejects(readKeys(testConfig('--api-key-file', `${folder}/bad`)), ({ message }: Error) => /bad, line 2: the key has a space, or a character that is not ASCII; a key is 8 to 512 characters of visible ASCII$/.test(message) && !message.includes('with space'))
  await assert.rejects(readKeys(testConfig('--api-key-file', `${folder}/none`)), /--api-key-file: ENOENT/)
})
