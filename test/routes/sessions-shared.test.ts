import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import supertest from 'supertest'
import { startService } from '../support/app.ts'
import { until } from '../support/until.ts'
import { startValkey, withValkey } from '../support/valkey.ts'

const ROW = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4], [1, 1]]
const MADE = '/models/custom-lstm/sessions'

/** Replicas that share a store. */
async function startReplicas (t: TestContext, count: number, ...flags: readonly string[]) {
  const server = await startValkey(t)
  const replicas = await Promise.all(Array.from({ length: count }, async () => {
    return supertest((await startService(t, '--sessions', `${server.url}/2`, ...flags)).app.server)
  }))
  return { server, replicas }
}

test('a session is the same on every replica', withValkey, async (t) => {
  const { replicas: [one, two] } = await startReplicas(t, 2)
  const { body: whole } = await one.post('/sequence').send({ x: [ROW, ROW] }).expect(200)
  const { headers: { location: session }, body: made } = await one.post(MADE).send({}).expect(201)
  const first = await two.post(`${session}/step`).send({ x: ROW[0], t: 0 }).expect(200)
  const again = await one.post(`${session}/step`).send({ x: ROW[0], t: 0 }).expect(200)
  assert.equal(again.text, first.text)
  const { body: problem } = await one.post(`${session}/step`).send({ x: ROW[1], t: 0 }).expect(409)
  assert.match(problem.detail, /the session has taken 1 steps: t = 1, and the request is for t = 0/)
  const { text } = await one.post(`${session}/sequence`).set('accept', 'application/x-ndjson').send({ x: ROW.slice(1, 3), t: 1 }).expect(200)
  assert.deepEqual(text.trimEnd().split('\n').map((line) => JSON.parse(line).t), [2, 3, 3])
  const last = await two.post(`${session}/sequence?t=3`).send({ x: ROW.slice(3) }).expect(200)
  assert.equal((await one.post(`${session}/sequence?t=3`).send({ x: ROW.slice(3) }).expect(200)).text, last.text)
  assert.deepEqual(last.body.output, [whole.output[0][3]])
  const { body: listed } = await two.get(MADE).expect(200)
  assert.deepEqual(listed.sessions.map(({ session, t }: { session: string, t: number }) => [session, t]), [[made.session, 4]])
  const { body: exported } = await two.get(session).expect(200)
  const { headers: { location: copy } } = await one.post(MADE).send(exported).expect(201)
  const [a, b] = [await one.post(`${session}/step`).send({ x: ROW[0] }).expect(200), await two.post(`${copy}/step`).send({ x: ROW[0] }).expect(200)]
  assert.equal(a.text, b.text)
  await one.delete(session).expect(204)
  const { body: ended } = await two.post(`${session}/step`).send({ x: ROW[0] }).expect(410)
  assert.equal(ended.detail, 'the session has ended: deleted')
})

test('with keys a session is of the key that made it, on every replica, and the store has no key', withValkey, async (t) => {
  const { server, replicas: [one, two] } = await startReplicas(t, 2, '--api-key', 'key-number-one', '--api-key', 'key-number-two')
  const [mine, yours] = ['key-number-one', 'key-number-two'].map((key) => ({ 'x-api-key': key }))
  const { headers: { location: session } } = await one.post(MADE).set(mine).send({}).expect(201)
  await two.post(`${session}/step`).set(mine).send({ x: ROW[0] }).expect(200)
  for (const replica of [one, two]) {
    await replica.get(session).set(yours).expect(404)
    await replica.post(`${session}/step`).set(yours).send({ x: ROW[0] }).expect(404)
    await replica.delete(session).set(yours).expect(404)
    assert.deepEqual((await replica.get(MADE).set(yours).expect(200)).body, { sessions: [] })
  }
  const id = session.split('/')[2]
  const kept = await server.command('EVAL', `redis.call('SELECT', 2); return table.concat(redis.call('HGETALL', 'cellserve:{${id}}:row'), ' ') .. redis.call('GET', 'cellserve:{${id}}:mark')`, '0')
  assert.match(kept, /custom-lstm/)
  assert.doesNotMatch(kept, /key-number/)
})

test('--max-sessions bounds the sessions of all replicas', withValkey, async (t) => {
  const { replicas: [one, two] } = await startReplicas(t, 2, '--max-sessions', '2')
  const { headers: { location: session } } = await one.post(MADE).send({}).expect(201)
  await two.post(MADE).send({ idle_timeout: 3 }).expect(201)
  const { body, headers } = await one.post(MADE).send({}).expect(503)
  assert.match(body.detail, /no room for another session: 2 of 2 live/)
  assert.equal(headers['retry-after'], '1')
  await until(async () => (await two.post(MADE).send({})).status === 201, 'the place of a session that has expired')
  await two.post(`${session}/step`).send({ x: ROW[0] }).expect(200)
})

test('without its store a service goes on, except for sessions', withValkey, async (t) => {
  const { server, replicas: [request] } = await startReplicas(t, 1)
  const { headers: { location: session } } = await request.post(MADE).send({}).expect(201)
  await server.signal('SIGKILL')
  for (const call of [
    () => request.post(`${session}/step`).send({ x: ROW[0] }), () => request.post(`${session}/sequence`).send({ x: ROW }), () => request.get(session),
    () => request.delete(session), () => request.post(MADE).send({}), () => request.get(MADE)
  ]) {
    const { body, headers } = await call().expect(503)
    assert.match(body.detail, /the session store does not answer: there is no connection to it; requests without sessions still work/)
    assert.equal(headers['retry-after'], '1')
  }
  await request.post('/sequence').send({ x: ROW }).expect(200)
  await request.get('/health/ready').expect(200)
  const { text } = await request.get('/metrics').expect(200)
  assert.match(text, /^cellserve_session_store_errors_total\{command="read"\} [1-9]/m)
  assert.match(text, /^cellserve_session_store_duration_seconds_count\{command="create"\} 1$/m)
  await server.restart()
  await until(async () => (await request.post(MADE).send({})).status === 201, 'its return')
  // It kept nothing.
  const { body: lost } = await request.get(session).expect(410)
  assert.equal(lost.detail, 'the session has ended: lost')
})

test('a service starts without its store, and finds it later', withValkey, async (t) => {
  const server = await startValkey(t)
  await server.signal('SIGKILL')
  const request = supertest((await startService(t, '--sessions', server.url)).app.server)
  await request.post(MADE).send({}).expect(503)
  await server.restart()
  await until(async () => (await request.post(MADE).send({})).status === 201, 'the store')
})
