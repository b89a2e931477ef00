import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp } from '../../support/app.ts'
import { writeModels } from '../../support/models.ts'
import { replaceFile, VERSIONS } from '../../support/versions.ts'

const [FIRST, SECOND] = VERSIONS

test('clients see what there is, load and unload', async (t) => {
  const folder = await writeModels(t, { 'm.safetensors': FIRST, 'other.safetensors': SECOND })
  const request = supertest((await buildTestApp(t, '--models', folder, '--repository-api')).server)
  // As Triton's clients do: JSON, without a type.
  const post = async (path: string, body = '') => (await request.post(`/v2/repository/${path}`).set('content-type', '').send(body).expect(200)).body
  assert.ok((await request.get('/v2').expect(200)).body.extensions.includes('model_repository'))
  const version = async (name: string): Promise<string> => (await request.get(`/models/${name}`).expect(200)).body.version
  const before = await version('m')
  assert.deepEqual(await post('index'), [{ name: 'm', version: before, state: 'READY' }, { name: 'other', version: await version('other'), state: 'READY' }])

  await replaceFile(folder, 'm.safetensors', SECOND)
  assert.deepEqual(await post('models/m/load', '{}'), {})
  assert.notEqual(await version('m'), before)

  await post('models/other/unload', '{"parameters": {"unload_dependents": false}}')
  await request.get('/v2/models/other/ready').expect(404)
  assert.deepEqual((await post('index')).at(-1), { name: 'other', state: 'UNAVAILABLE', reason: 'unloaded' })
  assert.equal((await post('index', '{"ready": true}')).length, 1)
  await post('models/other/load')
  await request.get('/v2/models/other/ready').expect(200)
})

test('what cannot be loaded is a 400 that says why, and what was served is served on', async (t) => {
  const folder = await writeModels(t, { 'm.safetensors': FIRST })
  const request = supertest((await buildTestApp(t, '--models', folder, '--repository-api', '--default-model', 'm')).server)
  const refused = async (path: string, body: object = {}, status = 400): Promise<string> => (await request.post(`/v2/repository/models/${path}`).send(body).expect(status)).body.error
  await replaceFile(folder, 'm.safetensors', SECOND.subarray(0, 50))
  assert.match(await refused('m/load'), /m\.safetensors: declares a header/)
  await request.get('/v2/models/m/ready').expect(200)
  const { body: [entry] } = await request.post('/v2/repository/index').expect(200)
  assert.deepEqual([entry.state, /declares a header/.test(entry.reason)], ['READY', true])
  assert.match(await refused('nobody/load'), /has no model nobody/)
  assert.match(await refused('nobody/unload', {}, 404), /there is no model "nobody"/)
  assert.match(await refused('m/unload'), /the default model m does not exist/)
  assert.match(await refused('m/load', { parameters: { config: '{}' } }), /\/parameters\/config: is not a known field/)
  await replaceFile(folder, 'other.safetensors', SECOND)
  await rm(join(folder, 'm.safetensors'))
  assert.match(await refused('m/load'), /has no model m/)
  await request.get('/v2/models/m/ready').expect(200)
})

test('without --repository-api there is no such path', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  await request.post('/v2/repository/index').expect(404)
  await request.post('/v2/repository/models/gru/unload').expect(404)
  assert.ok(!(await request.get('/v2').expect(200)).body.extensions.includes('model_repository'))
})
