import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import { buildTestApp } from '../support/app.ts'
import { closeTo } from '../support/close.ts'
import { f32, writeSafetensors, type Written } from '../support/safetensors.ts'

const ROW = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4], [1, 1]]
const ATT = '/models/matching-networks'
const context = { support: [[[1, 0, 0, 0], [0, 1, 0, 0]]] }
const SAFETENSORS = { 'content-type': 'application/vnd.safetensors' }

test('a sequence goes on from a token, by sequences and by steps', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: whole } = await request.post('/sequence').send({ x: [ROW], state: true }).expect(200)
  let { body: answer } = await request.post('/sequence').send({ x: [ROW.slice(0, 2)], state: true }).expect(200)
  const { body: rest } = await request.post('/sequence').send({ x: [ROW.slice(2)], state: answer.state }).expect(200)
  for (const [i, h] of [...answer.output[0], ...rest.output[0]].entries()) closeTo(h, whole.output[0][i])
  for (const x of ROW.slice(2)) answer = (await request.post('/step').send({ x: [x], state: answer.state }).expect(200)).body
  assert.deepEqual(Object.keys(answer), ['h_out', 'c_out', 'state'])
  closeTo(answer.h_out[0], whole.h_out[0])
})

test('a step without a token begins; the context comes with each request', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const x = [[0.5, 0.1, -0.2, 0.3], [1, 0, 0, 1]]
  const { body: whole } = await request.post(`${ATT}/sequence`).send({ x: [x], context, state: true }).expect(200)
  const { body: first } = await request.post(`${ATT}/step`).send({ x: [x[0]], context, state: true }).expect(200)
  const { body: second } = await request.post(`${ATT}/step`).send({ x: [x[1]], context, state: first.state }).expect(200)
  closeTo(second.h_out[0], whole.h_out[0])
  const { body: problem } = await request.post(`${ATT}/step`).send({ x: [x[1]], state: first.state }).expect(400)
  assert.equal(problem.errors[0].path, '/context/support')
})

test('no tokens ask for those of rows that begin, as true does', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  for (const [path, x] of [['/step', [ROW[0], ROW[1]]], ['/sequence', [ROW, ROW]]] as const) {
    const { body: listed } = await request.post(path).send({ x, state: [] }).expect(200)
    assert.deepEqual(listed, (await request.post(path).send({ x, state: true }).expect(200)).body)
    assert.equal(listed.state.length, 2)
  }
})

test('a lone token is one row\'s, without a batch dimension', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: first } = await request.post('/step').send({ x: ROW[0], state: true }).expect(200)
  assert.equal(typeof first.state, 'string')
  const { body: second } = await request.post('/step').send({ x: ROW[1], state: first.state }).expect(200)
  const { body: whole } = await request.post('/sequence').send({ x: ROW.slice(0, 2) }).expect(200)
  closeTo(second.h_out, whole.h_out)
})

test('state can be among the fields, or the only one', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.post('/sequence').send({ x: [ROW], state: true, fields: ['state'] }).expect(200)
  assert.deepEqual(Object.keys(body), ['state'])
  assert.ok(!('state' in (await request.post('/sequence').send({ x: [ROW], state: false }).expect(200)).body))
})

test('a stream ends with the tokens', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { text } = await request.post('/sequence').set('accept', 'application/x-ndjson').send({ x: [ROW], state: true }).expect(200)
  const { body: whole } = await request.post('/sequence').send({ x: [ROW], state: true }).expect(200)
  const last: { state: unknown } = JSON.parse(text.trimEnd().split('\n')[4])
  assert.deepEqual(last.state, whole.state)
})

test('safetensors have the tokens as bytes', async (t) => {
  const { server } = await buildTestApp(t)
  const post = async (url: string, tensors: Record<string, Written>): Promise<Map<string, Written>> => {
    const { body } = await supertest(server).post(url).set(SAFETENSORS).send(Buffer.from(writeSafetensors(tensors))).responseType('blob').expect(200)
    assert.ok(body instanceof Buffer)
    return parseSafetensors(body)
  }
  const first = await post('/sequence?state=true', { x: f32([1, 2, 2], ROW.slice(0, 2).flat()) })
  const state = first.get('state')
  assert.ok(state !== undefined)
  assert.equal(state.dtype, 'U8')
  const { body: byJson } = await supertest(server).post('/sequence').send({ x: [ROW.slice(0, 2)], state: true }).expect(200)
  assert.deepEqual(state.shape, [1, state.bytes.length])
  assert.deepEqual([Buffer.from(state.bytes).toString('base64url')], byJson.state)
  const second = await post('/step', { x: f32([1, 2], ROW[2]), state })
  const { body: next } = await supertest(server).post('/step').send({ x: [ROW[2]], state: byJson.state }).expect(200)
  assert.deepEqual([Buffer.from(second.get('state')?.bytes ?? []).toString('base64url')], next.state)
  const alone = await post('/step', { x: f32([2], ROW[2]), state: { ...state, shape: [state.bytes.length] } })
  assert.deepEqual(alone.get('state')?.bytes, second.get('state')?.bytes)

  const wrong = await supertest(server).post('/step').set(SAFETENSORS).send(Buffer.from(writeSafetensors({ x: f32([2], [1, 2]), state: f32([1], [1]) }))).expect(400)
  assert.match(wrong.body.detail, /^\/state: expected the bytes of tokens, U8 \[N\] or \[B\]\[N\], got F32 of shape \[1\]$/)
})

test('what is wrong with a state is told with its status and its path', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: { state } } = await request.post('/step').send({ x: [ROW[0]], state: true }).expect(200)
  const cases: Array<[url: string, body: object, status: number, path: string, message: RegExp]> = [
    ['/models/symmetric/step', { x: [[1, 2]], state }, 409, '/state/0', /belongs to custom-lstm, version [0-9a-f]{16}; this is symmetric, version [0-9a-f]{16}/],
    ['/step', { x: [ROW[0]], state: ['AAAA'] }, 422, '/state/0', /is not a state token/],
    ['/step', { x: [ROW[0]], state, h_in: [[1, 2, 3, 4, 5, 6]] }, 422, '/h_in', /cannot be combined with state/],
    ['/step', { x: [ROW[0]], context: {} }, 422, '/context', /is for a step with state/],
    ['/step', { x: [ROW, ROW].map((row) => row.slice(0, 2)), state: true }, 422, '/x', /expected one step per row/],
    ['/step', { x: [ROW[0]], state: 5 }, 400, '/state', /must be boolean,string,array, got 5/],
    ['/step', { x: [ROW[0]], state: [5] }, 400, '/state/0', /must be string, got 5/],
    ['/step', { x: ROW[0], state: '' }, 422, '/state', /is not a state token/]
  ]
  for (const [url, body, status, path, message] of cases) {
    const { body: problem } = await request.post(url).send(body).expect(status)
    assert.equal(problem.errors?.[0].path, path)
    assert.match(problem.errors[0].message, message)
  }
})
