import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp } from '../../support/app.ts'
import { logged } from '../../support/logged.ts'

test('a request keeps its id if that is harmless, and gets one otherwise', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  assert.equal((await request.get('/models').set('x-request-id', 'abc-123:4/5').expect(200)).headers['x-request-id'], 'abc-123:4/5')
  for (const id of [undefined, '', 'with space', 'x'.repeat(129), '{"level":60}']) {
    const { headers } = await request.post('/step').set(id === undefined ? {} : { 'x-request-id': id }).send({ x: 'no' }).expect(400)
    assert.match(headers['x-request-id'], /^[\da-f]{8}-[\da-f-]{27}$/)
  }
})

test('with --access-log each answer is a line with the ids of its request and its trace', async (t) => {
  const { request, lines } = await logged(t, 'info', '--access-log')
  await request.post('/step?x=secret').set({ 'x-request-id': 'mine', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }).send({ x: [1, 2] }).expect(400)
  await request.post('/step').set({ traceparent: '00-00000000000000000000000000000000-b7ad6b7169203331-01' }).send({ x: 1 }).expect(400)
  const [first, second] = lines().filter(({ msg }) => msg === 'answered')
  assert.deepEqual([first.method, first.path, first.status, first.reqId, first.traceId], ['POST', '/step', 400, 'mine', '0af7651916cd43dd8448eb211c80319c'])
  assert.deepEqual([second.status, second.traceId], [400, undefined])
})

test('no log line of any level has a tensor or a key', async (t) => {
  const { request, text } = await logged(t, 'trace', '--access-log', '--api-key', 'correct-horse')
  const key = { 'x-api-key': 'correct-horse' }
  const bearer = { authorization: 'Bearer wrong-horse' }
  const tensor = [0.123454321, 0.678909876]
  await request.post('/step').set(key).send({ x: tensor }).expect(200)
  await request.post('/step').set(key).send({ x: [...tensor, 1] }).expect(422)
  await request.post('/step').set(bearer).send({ x: tensor }).expect(401)
  await request.post('/sequence').set(key).set('accept', 'application/x-ndjson').send({ x: [tensor] }).expect(200)
  await request.post('/step').set(key).set('content-type', 'application/json').send(`{"x": ${JSON.stringify(tensor)}`).expect(400)
  assert.ok(text().includes('"answered"'))
  assert.doesNotMatch(text(), /horse|12345432|67890987/)
})
