import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import { buildTestApp } from '../support/app.ts'
import { f32, writeSafetensors, type Written } from '../support/safetensors.ts'

type Server = Awaited<ReturnType<typeof buildTestApp>>['server']

/** The answer, as JSON, to a request that is a safetensors document. */
function post (server: Server, url: string, tensors: Record<string, Written>): supertest.Test {
  return supertest(server).post(url).set({ 'content-type': 'application/vnd.safetensors', accept: 'application/json' }).send(Buffer.from(writeSafetensors(tensors)))
}

const X = [[[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4]], [[1, 1], [2, 3], [0, 0]]]
const x = f32([2, 3, 2], X.flat(2))

test('a step gets the same answer as by JSON', async (t) => {
  const { server } = await buildTestApp(t)
  const h = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
  const byJson = await supertest(server).post('/step').send({ x: [X[0][0], X[1][0]], h_in: h, c_in: [[1, 2, 3], [4, 5, 6]] }).expect(200)
  const { body } = await post(server, '/step', { x: f32([2, 2], [X[0][0], X[1][0]].flat()), h_in: f32([6], h), c_in: f32([2, 3], [1, 2, 3, 4, 5, 6]) }).expect(200)
  assert.deepEqual(body, byJson.body)
})

test('a sequence, too, with lengths, and its options in the query string', async (t) => {
  const { server } = await buildTestApp(t)
  const lengths = { dtype: 'I64', shape: [2], bytes: new Uint8Array(BigInt64Array.of(3n, 1n).buffer) }
  const byJson = await supertest(server).post('/sequence').send({ x: X, lengths: [3, 1] }).expect(200)
  assert.deepEqual((await post(server, '/sequence', { x, lengths }).expect(200)).body, byJson.body)

  const last = await supertest(server).post('/sequence').send({ x: X, return_sequences: false }).expect(200)
  assert.deepEqual((await post(server, '/sequence?return_sequences=false', { x }).expect(200)).body, last.body)

  const repeated = await supertest(server).post('/sequence').send({ x: [1, 2], steps: 4 }).expect(200)
  assert.deepEqual((await post(server, '/sequence?steps=4', { x: f32([2], [1, 2]) }).expect(200)).body, repeated.body)
})

test('a context is its tensors, and parts are asked for in the query string', async (t) => {
  const { server } = await buildTestApp(t)
  const url = '/models/matching-networks/sequence'
  const support = [[1, 0, 0, 0], [0, 0, 0, 1]]
  const byJson = await supertest(server).post(url).send({ x: [1, 0, 0, 1], steps: 3, context: { support }, parts: ['attention', 'read'] }).expect(200)
  const { body } = await post(server, `${url}?steps=3&parts=attention,read`, { x: f32([4], [1, 0, 0, 1]), support: f32([2, 4], support.flat()) }).expect(200)
  assert.deepEqual(Object.keys(body.parts), ['attention', 'read'])
  assert.deepEqual(body, byJson.body)
})

test('options in the query string go with JSON as well, but not twice', async (t) => {
  const { server } = await buildTestApp(t)
  const request = supertest(server)
  const { body } = await request.post('/sequence?return_sequences=false').send({ x: X }).expect(200)
  assert.deepEqual(body.output, body.h_out.map((row: number[]) => [row]))
  const refused = async (url: string, sent: object, status = 400): Promise<string> => (await request.post(url).send(sent).expect(status)).body.detail
  assert.match(await refused('/sequence?return_sequences=false', { x: X, return_sequences: false }, 422), /\/return_sequences: is in the query string as well/)
  assert.match(await refused('/sequence?fields=output', { x: X, fields: ['output'] }, 422), /\/fields: is in the query string as well/)
  assert.match(await refused('/sequence?steps=0', { x: [1, 2] }), /steps in the query string: must be >= 1, got 0/)
  assert.match(await refused('/sequence?steps=many', { x: [1, 2] }), /steps in the query string: must be integer, got the string "many"/)
  for (const steps of ['0x2', '2e0', '%202', '']) assert.match(await refused(`/sequence?steps=${steps}`, { x: [1, 2] }), /steps in the query string: must be integer, got the string/)
  for (const context of ['0'.repeat(1_000_000), [1, 2], 3]) assert.match(await refused('/sequence?steps=2', { x: [[1, 2]], context }), /\/context: must be object, got/)
  assert.match(await refused('/sequence?steps=2&steps=3', { x: [1, 2] }), /steps in the query string: must be integer, got an array/)
  assert.match(await refused('/sequence?step=2', { x: [1, 2] }), /step in the query string: is not a known field/)
  assert.match(await refused('/sequence?fields=weights', { x: X }), /fields in the query string: must match pattern/)
})

test('what is wrong is named as in JSON', async (t) => {
  const { server } = await buildTestApp(t)
  const cases: ReadonlyArray<[url: string, tensors: Record<string, Written>, status: number, path: string, message: RegExp]> = [
    ['/step', { h_in: f32([6], new Array(6).fill(0)) }, 400, '/x', /is required/],
    ['/step', { x: f32([2], [1, 2]), h_in: f32([5], new Array(5).fill(0)) }, 422, '/h_in', /expected vectors of 6 numbers \(Hi\), got 5/],
    ['/step', { x: f32([1, 1, 1, 2], [1, 2]) }, 400, '/x', /1 to 3 dimensions, got 4/],
    ['/step', { x: f32([2], [1, 2]), h_in: f32([1, 1, 6], new Array(6).fill(0)) }, 400, '/h_in', /got arrays nested 3 deep/],
    ['/step', { x: f32([2], [1, NaN]) }, 422, '/x/1', /NaN is not finite/],
    ['/step', { x, vectors: f32([1], [1]) }, 400, '/vectors', /is not a known field; expected one of x, h_in, c_in/],
    ['/sequence', { x, vectors: f32([1], [1]) }, 400, '/vectors', /is not a known field; expected one of x, h_in, c_in, h_0, lengths/],
    ['/sequence', { x, lengths: { dtype: 'I32', shape: [2], bytes: new Uint8Array(Int32Array.of(3, 4).buffer) } }, 422, '/lengths/1', /expected 1 to 3 \(T\), got 4/]
  ]
  for (const [url, tensors, status, path, message] of cases) {
    const { body } = await post(server, url, tensors).expect(status)
    assert.equal(body.errors[0].path, path)
    assert.match(body.errors[0].message, message)
  }
  await supertest(server).post('/models/nobody/sequence').set('content-type', 'application/vnd.safetensors').send(Buffer.from(writeSafetensors({ x }))).expect(404)
})

test('a padded support has its lengths beside it, and is the same as a ragged one by JSON', async (t) => {
  const { server } = await buildTestApp(t)
  const url = '/models/matching-networks/sequence'
  const support = [[[1, 0, 0, 0], [0, 0, 0, 1]], [[0.5, 0.5, 0, 0]]]
  const byJson = await supertest(server).post(url).send({ x: [[[1, 0, 0, 1]], [[0, 1, 0, 1]]], steps: 3, context: { support } }).expect(200)
  const padded = f32([2, 2, 4], [...support[0].flat(), ...support[1].flat(), 9, 9, 9, 9])
  const lengths = { dtype: 'I32', shape: [2], bytes: new Uint8Array(Int32Array.of(2, 1).buffer) }
  const { body } = await post(server, `${url}?steps=3`, { x: f32([2, 1, 4], [1, 0, 0, 1, 0, 1, 0, 1]), support: padded, support_lengths: lengths }).expect(200)
  assert.deepEqual(body, byJson.body)
  const odd = { ...lengths, bytes: new Uint8Array(Int32Array.of(2, 3).buffer) }
  const refused = await post(server, `${url}?steps=3`, { x: f32([2, 1, 4], [1, 0, 0, 1, 0, 1, 0, 1]), support: padded, support_lengths: odd }).expect(422)
  assert.match(refused.body.detail, /\/context\/support_lengths\/1: expected 1 to 2 \(N\), got 3/)
})

test('parts of a safetensors answer are named parts/NAME', async (t) => {
  const { server } = await buildTestApp(t)
  const { body } = await supertest(server).post('/models/matching-networks/sequence').set('accept', 'application/vnd.safetensors').buffer(true).parse((response, done) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk) => { chunks.push(chunk) })
    response.on('end', () => { done(null, Buffer.concat(chunks)) })
  }).send({ x: [[1, 0, 0, 1]], steps: 2, context: { support: [[1, 0, 0, 0]] }, parts: ['attention'], fields: ['h_out', 'parts'] }).expect(200)
  const tensors = parseSafetensors(body)
  assert.deepEqual([...tensors].map(([name, { shape }]) => [name, shape]), [['h_out', [1, 4]], ['parts/attention', [1, 3, 1]]])
})
