import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import { buildTestApp } from '../support/app.ts'
import { f32, writeSafetensors } from '../support/safetensors.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const SAFETENSORS = 'application/vnd.safetensors'
const NDJSON = 'application/x-ndjson'

/** What a request accepts, and the format of its answer if the request is JSON, and if it is safetensors. */
const ACCEPTED: ReadonlyArray<[accept: string | undefined, ofJson: string, ofSafetensors: string]> = [
  [undefined, JSON_TYPE, SAFETENSORS],
  ['*/*', JSON_TYPE, SAFETENSORS],
  ['application/*', JSON_TYPE, SAFETENSORS],
  ['application/json', JSON_TYPE, JSON_TYPE],
  [SAFETENSORS, SAFETENSORS, SAFETENSORS],
  ['application/json;q=0.5, application/vnd.safetensors', SAFETENSORS, SAFETENSORS],
  ['application/vnd.safetensors;q=0.1, */*;q=0.9', JSON_TYPE, JSON_TYPE],
  ['application/json, text/plain, */*', JSON_TYPE, JSON_TYPE],
  // An unsupported type counts as no preference.
  ['text/html', JSON_TYPE, SAFETENSORS],
  ['nonsense', JSON_TYPE, SAFETENSORS]
]

test('the answer has the format that is accepted, and by default that of the request', async (t) => {
  const { server } = await buildTestApp(t)
  for (const [accept, ofJson, ofSafetensors] of ACCEPTED) {
    const headers = accept === undefined ? {} : { accept }
    await supertest(server).post('/step').set(headers).send({ x: [1, 2] }).expect(200).expect('content-type', ofJson)
    await supertest(server).post('/step').set({ ...headers, 'content-type': SAFETENSORS })
      .send(Buffer.from(writeSafetensors({ x: f32([2], [1, 2]) }))).expect(200).expect('content-type', ofSafetensors)
  }
})

test('lines are for sequences alone', async (t) => {
  const { server } = await buildTestApp(t)
  await supertest(server).post('/step').set('accept', NDJSON).send({ x: [1, 2] }).expect(200).expect('content-type', JSON_TYPE)
  await supertest(server).post('/sequence').set('accept', `${NDJSON}, */*;q=0.1`).send({ x: [[1, 2]] }).expect(200).expect('content-type', NDJSON)
})

test('a media type is the same in any case, and with parameters', async (t) => {
  const { server } = await buildTestApp(t)
  for (const type of ['Application/Vnd.SafeTensors', `${SAFETENSORS}; version=1`]) {
    await supertest(server).post('/step').set('content-type', type).send(Buffer.from(writeSafetensors({ x: f32([2], [1, 2]) }))).expect(200).expect('content-type', SAFETENSORS)
  }
})

test('a refusal is a problem in any form', async (t) => {
  const { server } = await buildTestApp(t)
  for (const accept of [SAFETENSORS, NDJSON, 'application/json']) {
    const { body } = await supertest(server).post('/sequence').set('accept', accept).send({ x: [[1, 2, 3]] }).expect(422).expect('content-type', /application\/problem\+json/)
    assert.match(body.detail, /\/x: expected vectors of 2 numbers/)
  }
})

test('an answer too large to be written in one go is the same', async (t) => {
  const { server } = await buildTestApp(t)
  // As few steps of a small cell as have more numbers than are written whole.
  const request = { x: Array.from({ length: 300 }, (_, row) => [row / 300, 1]), steps: 100 }
  const { body } = await supertest(server).post('/sequence').send(request).expect(200).expect('transfer-encoding', 'chunked')
  const answer = await supertest(server).post('/sequence').set('accept', SAFETENSORS).responseType('blob').send(request).expect(200)
  const { shape, bytes } = parseSafetensors(answer.body).get('output') ?? assert.fail('no output')
  assert.deepEqual(shape, [300, 100, 3])
  assert.equal(Number(answer.headers['content-length']), answer.body.length)
  assert.deepEqual(new Float32Array(Uint8Array.from(bytes).buffer), Float32Array.from(body.output.flat(2)))
  assert.equal(body.h_out.length, 300)
})

test('both forms have the same numbers', async (t) => {
  const { server } = await buildTestApp(t)
  const { body } = await supertest(server).post('/step').send({ x: [0.1, 1 / 3] }).expect(200)
  const answer = await supertest(server).post('/step').set('accept', SAFETENSORS).responseType('blob').send({ x: [0.1, 1 / 3] }).expect(200)
  const tensors = parseSafetensors(answer.body)
  for (const name of ['h_out', 'c_out']) {
    const { dtype, shape, bytes } = tensors.get(name) ?? assert.fail(name)
    assert.deepEqual([dtype, shape], ['F32', [3]])
    assert.deepEqual(new Float32Array(Uint8Array.from(bytes).buffer), Float32Array.from(body[name]))
  }
})
