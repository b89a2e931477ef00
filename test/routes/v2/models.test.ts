import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp } from '../../support/app.ts'
import { spellerModels } from '../../support/models.ts'

test('the server says what it is, and how it is', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.get('/v2').expect(200).expect('content-type', 'application/json')
  assert.deepEqual([body.name, body.extensions], ['cellserve', ['binary_tensor_data', 'sequence', 'statistics']])
  assert.deepEqual((await request.get('/v2/health/live').expect(200)).body, { live: true })
  assert.deepEqual((await request.get('/v2/health/ready').expect(200)).body, { ready: true })
})

test('a model has one version, the hash of its files; "1" stands for it', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: { version } } = await request.get('/models/symmetric').expect(200)
  for (const path of ['', '/versions/1', `/versions/${version}`]) {
    const { body } = await request.get(`/v2/models/symmetric${path}`).expect(200)
    assert.deepEqual([body.name, body.versions], ['symmetric', [version]])
    assert.match(body.platform, /^cellserve_/)
    assert.deepEqual((await request.get(`/v2/models/symmetric${path}/ready`).expect(200)).body, { name: 'symmetric', ready: true })
    await request.post(`/v2/models/symmetric${path}/infer`).send({ inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] }] }).expect(200)
  }
  for (const path of ['/v2/models/symmetric/versions/2', '/v2/models/symmetric/versions/2/ready']) {
    const { body } = await request.get(path).expect(404)
    assert.deepEqual(body, { error: `model symmetric has no version "2"; it has ${version}, and "1" stands for it` })
  }
  assert.match((await request.post('/v2/models/symmetric/versions/2/infer').send({}).expect(404)).body.error, /has no version "2"/)
})

test('names, datatypes and shapes of what models take and answer', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const namesOf = async (app: typeof request, name: string): Promise<string[]> => {
    const { body: { inputs, outputs } } = await app.get(`/v2/models/${name}`).expect(200)
    return [inputs, outputs].map((tensors) => tensors.map(({ name, datatype, shape }: { name: string, datatype: string, shape: number[] }) => `${name} ${datatype} [${shape.join()}]`).join(' '))
  }
  assert.deepEqual(await namesOf(request, 'custom-lstm'), [
    'x FP32 [-1,-1,2] lengths INT64 [-1] h_in FP32 [-1,6] c_in FP32 [-1,3] h_0 FP32 [-1,3]',
    'output FP32 [-1,-1,3] h_out FP32 [-1,3] c_out FP32 [-1,3] h_next FP32 [-1,6] parts/h FP32 [-1,-1,3] parts/c FP32 [-1,-1,3] parts/gates FP32 [-1,-1,12]'
  ])
  assert.deepEqual(await namesOf(request, 'matching-networks'), [
    'x FP32 [-1,-1,4] lengths INT64 [-1] h_in FP32 [-1,8] c_in FP32 [-1,4] h_0 FP32 [-1,4] support FP32 [-1,-1,4] support_lengths INT64 [-1]',
    'output FP32 [-1,-1,4] h_out FP32 [-1,4] c_out FP32 [-1,4] h_next FP32 [-1,8] parts/read FP32 [-1,-1,4] parts/attention FP32 [-1,-1,-1] parts/h FP32 [-1,-1,4] parts/c FP32 [-1,-1,4] parts/gates FP32 [-1,-1,16]'
  ])
  assert.deepEqual(await namesOf(request, 'bidirectional-lstm'), [
    'x FP32 [-1,-1,3] lengths INT64 [-1] h_in FP32 [-1,16] c_in FP32 [-1,16]',
    'output FP32 [-1,-1,8] h_out FP32 [-1,16] c_out FP32 [-1,16] parts/h FP32 [-1,-1,16] parts/c FP32 [-1,-1,16] parts/gates FP32 [-1,-1,64]'
  ])
  const speller = supertest((await buildTestApp(t, '--models', await spellerModels(t))).server)
  assert.deepEqual(await namesOf(speller, 'speller'), [
    'ids INT64 [-1,-1] lengths INT64 [-1] h_in FP32 [-1,3] c_in FP32 [-1,3] h_0 FP32 [-1,3]',
    'output FP32 [-1,-1,3] y FP32 [-1,-1,4] h_out FP32 [-1,3] c_out FP32 [-1,3] h_next FP32 [-1,3] parts/h FP32 [-1,-1,3] parts/c FP32 [-1,-1,3] parts/gates FP32 [-1,-1,12]'
  ])
})

test('what is not there is said in the form of the protocol', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const error = async (method: 'get' | 'post' | 'put', path: string, status: number): Promise<string> => {
    const { body } = await request[method](path).expect(status).expect('content-type', 'application/json')
    assert.deepEqual(Object.keys(body), ['error'])
    return body.error
  }
  assert.match(await error('get', '/v2/models/nobody', 404), /^there is no model "nobody"; the models are/)
  assert.match(await error('get', '/v2/models/nobody/ready', 404), /there is no model "nobody"/)
  assert.match(await error('get', '/v2/repository/index', 404), /^there is no \/v2\/repository\/index; docs\/openinference.md lists the paths/)
  assert.match(await error('put', '/v2/models/symmetric', 405), /^\/v2\/models\/symmetric accepts GET, HEAD, not PUT$/)
  assert.match(await error('get', '/v2/models/symmetric/infer', 405), /accepts POST, not GET$/)
  assert.match(await error('get', '/v2/%zz', 400), /^the path \/v2\/%zz is not URL-encoded$/)
  assert.match(await error('get', `/v2/models/${'a'.repeat(300)}`, 414), /has 300 characters/)
  await request.get('/v3').expect(404).expect('content-type', /^application\/problem\+json/)
})

test('with keys only health is open, and a full or a draining server says so in the same form', async (t) => {
  const app = await buildTestApp(t, '--api-key', 'key-number-one')
  const request = supertest(app.server)
  await request.get('/v2/health/live').expect(200)
  await request.get('/v2/health/ready').expect(200)
  for (const path of ['/v2', '/v2/models/symmetric', '/v2/models/symmetric/ready', '/v2/nothing']) {
    const { body } = await request.get(path).expect(401).expect('www-authenticate', /^Bearer/)
    assert.match(body.error, /^expected an API key/)
  }
  await request.get('/v2/models/symmetric').set('authorization', 'Bearer key-number-one').expect(200)
  const drained = app.drain(500)
  await request.get('/v2/health/live').expect(200)
  const { body } = await request.get('/v2/health/ready').expect(503).expect('retry-after', '1')
  assert.match(body.error, /^the server is shutting down/)
  await drained
})
