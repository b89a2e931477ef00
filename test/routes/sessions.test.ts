import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import { buildTestApp, startService } from '../support/app.ts'
import { closeTo } from '../support/close.ts'
import { overflowingModels, spellerModels } from '../support/models.ts'
import { f32, writeSafetensors } from '../support/safetensors.ts'
import { until } from '../support/until.ts'

const ROW = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4], [1, 1]]
const MADE = '/models/custom-lstm/sessions'
const ATT = '/models/matching-networks'
const context = { support: [[1, 0, 0, 0], [0, 1, 0, 0], [0.5, -0.5, 0.25, 1]] }

type Client = ReturnType<typeof supertest>

async function make (request: Client, body: object = {}, url = MADE): Promise<string> {
  const { body: { session }, headers } = await request.post(url).send(body).expect(201)
  assert.equal(headers.location, `/sessions/${session}`)
  return headers.location
}

test('a session takes the steps of a sequence, one by one or many at once', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: whole } = await request.post('/sequence').send({ x: ROW }).expect(200)
  const session = await make(request)
  for (const [i, x] of ROW.slice(0, 2).entries()) {
    const { body, headers } = await request.post(`${session}/step`).send({ x }).expect(200)
    assert.equal(body.t, i + 1)
    closeTo(body.output, whole.output[i])
    assert.ok(Date.parse(headers['session-expires']) > Date.now())
  }
  const { body } = await request.post(`${session}/sequence`).send({ x: ROW.slice(2) }).expect(200)
  assert.deepEqual(Object.keys(body), ['t', 'output'])
  assert.equal(body.t, 4)
  closeTo(body.output.flat(), whole.output.slice(2).flat())
})

test('a context travels once; parts are answered', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const x = [[0.5, 0.1, -0.2, 0.3], [1, 0, 0, 1], [0, 1, 0.5, 0]]
  const parts = ['read', 'attention']
  const { body: whole } = await request.post(`${ATT}/sequence`).send({ x, context, parts }).expect(200)
  const session = await make(request, { context }, `${ATT}/sessions`)
  const { body: first } = await request.post(`${session}/step`).send({ x: x[0], parts }).expect(200)
  closeTo(first.output, whole.output[0])
  for (const part of parts) closeTo(first.parts[part], whole.parts[part][1])
  const { body: rest } = await request.post(`${session}/sequence`).send({ x: x.slice(1), parts }).expect(200)
  for (const part of parts) closeTo(rest.parts[part].flat(), whole.parts[part].slice(1).flat())
})

test('a stream has a line per step, and the last line says that the session has moved on', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const session = await make(request)
  const { body: whole } = await request.post('/sequence').send({ x: ROW }).expect(200)
  const { text } = await request.post(`${session}/sequence`).set('accept', 'application/x-ndjson').send({ x: ROW, t: 0 }).expect(200)
  const lines = text.trimEnd().split('\n').map((line): { t: number, output?: number[] } => JSON.parse(line))
  assert.deepEqual(lines.map(({ t }) => t), [1, 2, 3, 4, 4])
  for (const [i, { output = [] }] of lines.slice(0, 4).entries()) closeTo(output, whole.output[i])
  assert.equal((await request.get(session).expect(200)).body.t, 4)
})

test('with t a step is safe to send again: the same bytes get the same answer, others a 409', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const session = await make(request)
  const first = await request.post(`${session}/step`).send({ x: ROW[0], t: 0 }).expect(200)
  const again = await request.post(`${session}/step`).send({ x: ROW[0], t: 0 }).expect(200)
  assert.equal(again.text, first.text)
  assert.equal((await request.get(session)).body.t, 1, 'it was taken once')
  const { body: other } = await request.post(`${session}/step`).send({ x: ROW[1], t: 0 }).expect(409)
  assert.match(other.detail, /the session has taken 1 steps: t = 1, and the request is for t = 0/)
  await request.post(`${session}/step`).send({ x: ROW[1], t: 2 }).expect(409)
  const many = await request.post(`${session}/sequence?t=1`).send({ x: ROW.slice(1) }).expect(200)
  assert.equal((await request.post(`${session}/sequence?t=1`).send({ x: ROW.slice(1) }).expect(200)).text, many.text)
  await request.post(`${session}/step`).send({ x: ROW[0], t: 0 }).expect(409)
})

test('of two steps at once one is taken, unless they are the same', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const session = await make(request)
  const statuses = (await Promise.all(ROW.map(async (x) => await request.post(`${session}/step`).send({ x })))).map(({ status }) => status)
  const taken = statuses.filter((status) => status === 200).length
  assert.ok(taken >= 1 && statuses.every((status) => status === 200 || status === 409), String(statuses))
  assert.equal((await request.get(session)).body.t, taken)
  const same = await Promise.all([1, 2, 3].map(async () => await request.post(`${session}/step`).send({ x: ROW[0], t: taken }).expect(200)))
  assert.equal(new Set(same.map(({ text }) => text)).size, 1)
  assert.equal((await request.get(session)).body.t, taken + 1)
})

test('a step that fails leaves the session where it was', async (t) => {
  const request = supertest((await buildTestApp(t, '--models', await overflowingModels(t))).server)
  const session = await make(request, {}, '/models/overflowing/sessions')
  await request.post(`${session}/step`).send({ x: [0.1, 0.2] }).expect(200)
  const { body: before } = await request.get(session)
  await request.post(`${session}/step`).send({ x: [3e38, -3e38] }).expect(422)
  await request.post(`${session}/step`).send({ x: [1, 2, 3] }).expect(422)
  await request.post(`${session}/step`).send({ x: [[1, 2]] }).expect(400)
  await request.post(`${session}/sequence`).send({ x: [[0.1, 0.2], [3e38, -3e38]] }).expect(422)
  await request.post(`${session}/sequence`).set('x-request-timeout', '0.000001').send({ x: [[0.1, 0.2], [0.1, 0.2]] }).expect(504)
  const { text } = await request.post(`${session}/sequence`).set('accept', 'application/x-ndjson').send({ x: [[0.1, 0.2], [3e38, -3e38]] })
  assert.match(text, /overflows float32/)
  const { body: after } = await request.get(session)
  assert.deepEqual([after.t, after.state], [1, before.state])
})

test('an export goes on elsewhere, with its context, as JSON or safetensors', async (t) => {
  const one = supertest((await startService(t)).app.server)
  const two = supertest((await startService(t)).app.server)
  const x = [[0.5, 0.1, -0.2, 0.3], [1, 0, 0, 1], [0, 1, 0.5, 0]]
  const session = await make(one, { context }, `${ATT}/sessions`)
  for (const steps of [0, 1]) {
    if (steps > 0) await one.post(`${session}/step`).send({ x: x[0] }).expect(200)
    const { body: exported } = await one.get(session).expect(200)
    assert.deepEqual([exported.t, exported.model, exported.context], [steps, 'matching-networks', context])
    const moved = await make(two, exported, `${ATT}/sessions`)
    const { body: binary } = await one.get(session).set('accept', 'application/vnd.safetensors').responseType('blob').expect(200)
    assert.ok(binary instanceof Buffer)
    assert.deepEqual([...parseSafetensors(binary).keys()], ['support', 'state'])
    const { headers: { location } } = await two.post(`${ATT}/sessions`).set('content-type', 'application/vnd.safetensors').send(binary).expect(201)
    const [a, b] = await Promise.all([moved, location].map(async (url) => await two.post(`${url}/sequence`).send({ x: x.slice(steps), t: steps }).expect(200)))
    assert.equal(a.text, b.text)
    const { body: whole } = await one.post(`${ATT}/sequence`).send({ x, context }).expect(200)
    closeTo(a.body.output.flat(), whole.output.slice(steps).flat())
  }
})

test('what a session begins with is used', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const first = { h_in: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], c_in: [1, -1, 0.5] }
  const { body: whole } = await request.post('/sequence').send({ x: ROW, ...first }).expect(200)
  const session = await make(request, first)
  const { body } = await request.post(`${session}/sequence`).send({ x: ROW }).expect(200)
  closeTo(body.output.flat(), whole.output.flat())
})

test('safetensors have t as well', async (t) => {
  const { server } = await buildTestApp(t)
  const session = await make(supertest(server))
  const { body } = await supertest(server).post(`${session}/step?t=0`).set('content-type', 'application/vnd.safetensors').send(Buffer.from(writeSafetensors({ x: f32([2], ROW[0]) }))).responseType('blob').expect(200)
  assert.ok(body instanceof Buffer)
  const answer = parseSafetensors(body)
  assert.deepEqual([...answer.keys()], ['output', 't'])
  assert.deepEqual([...answer.get('t')?.bytes ?? []], [1, 0, 0, 0, 0, 0, 0, 0])
})

test('ended sessions are a 410, unknown ones a 404, and sessions of another key too', async (t) => {
  const open = supertest((await buildTestApp(t)).server)
  const session = await make(open)
  await open.delete(session).expect(204)
  const { body } = await open.post(`${session}/step`).send({ x: ROW[0] }).expect(410)
  assert.equal(body.detail, 'the session has ended: deleted')
  await open.delete(session).expect(410)
  await open.get('/sessions/nobody').expect(404)

  const keyed = supertest((await buildTestApp(t, '--api-key', 'key-number-one', '--api-key', 'key-number-two')).server)
  const [mine, yours] = ['key-number-one', 'key-number-two'].map((key) => ({ 'x-api-key': key }))
  const { body: { session: id } } = await keyed.post(MADE).set(mine).send({}).expect(201)
  await keyed.get(`/sessions/${id}`).expect(401)
  await keyed.get(`/sessions/${id}`).set(yours).expect(404)
  await keyed.post(`/sessions/${id}/step`).set(yours).send({ x: ROW[0] }).expect(404)
  await keyed.delete(`/sessions/${id}`).set(yours).expect(404)
  assert.deepEqual((await keyed.get(MADE).set(yours).expect(200)).body, { sessions: [] })
  assert.equal((await keyed.get(MADE).set(mine).expect(200)).body.sessions[0].session, id)
})

test('a full store refuses new sessions, and those that live go on', async (t) => {
  const request = supertest((await buildTestApp(t, '--max-sessions', '2')).server)
  const session = await make(request)
  await make(request)
  const { body, headers } = await request.post(MADE).send({}).expect(503)
  assert.match(body.detail, /no room for another session: 2 of 2 live/)
  assert.equal(headers['retry-after'], '1')
  await request.post(`${session}/step`).send({ x: ROW[0] }).expect(200)
  const { body: page } = await request.get(`${MADE}?limit=1`).expect(200)
  const { body: last } = await request.get(`${MADE}?limit=1&from=${page.next}`).expect(200)
  assert.deepEqual([page.sessions.length, last.sessions.length, last.next], [1, 1, undefined])
})

test('what is wrong with a request is told with its path', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const session = await make(request)
  const { body: { state } } = await request.get(session)
  const cases: Array<[url: string, body: object, status: number, path: string, message: RegExp]> = [
    [`${ATT}/sessions`, { context: { support: [[1, 2]] } }, 422, '/context/support', /expected vectors of 4 numbers/],
    [`${ATT}/sessions`, { context: { support: [[[1, 2, 3, 4]]] } }, 422, '/context/support', /expected one set, \[N\]\[D\]/],
    [`${ATT}/sessions`, { context: {} }, 400, '/context/support', /is required/],
    [`${ATT}/sessions`, {}, 400, '/context/support', /is required/],
    [`${ATT}/sessions`, { state }, 409, '/state', /belongs to custom-lstm/],
    [MADE, { state, h_in: [1, 2, 3, 4, 5, 6] }, 422, '/h_in', /cannot be combined with state/],
    [MADE, { h_in: [1] }, 422, '/h_in', /expected vectors of 6 numbers/],
    [MADE, { idle_timeout: 0 }, 400, '/idle_timeout', /must be > 0/],
    [`${session}/step`, { x: [1] }, 422, '/x', /expected vectors of 2 numbers/],
    [`${session}/step`, {}, 400, '/x', /is required/],
    [`${session}/step`, { x: [1, 2], t: -1 }, 400, '/t', /must be >= 0/],
    [`${session}/step`, { x: [1, 2], parts: ['read'] }, 422, '/parts/0', /there is no part "read"/]
  ]
  for (const [url, body, status, path, message] of cases) {
    const { body: problem } = await request.post(url).send(body).expect(status)
    assert.equal(problem.errors?.[0].path, path, `${url} ${JSON.stringify(body)}`)
    assert.match(problem.errors[0].message, message)
  }
})

test('a session of a model with an embedding and a readout takes ids and answers y', async (t) => {
  const request = supertest((await buildTestApp(t, '--models', await spellerModels(t))).server)
  const { body: { output, y } } = await request.post('/sequence').send({ ids: [0, 4, 2, 2] }).expect(200)
  const session = await make(request, {}, '/models/speller/sessions')
  const { body: one } = await request.post(`${session}/step`).send({ ids: 0, t: 0 }).expect(200)
  assert.deepEqual(one, { t: 1, output: output[0], y: y[0] })
  const { body: many } = await request.post(`${session}/sequence`).send({ ids: [4, 2] }).expect(200)
  assert.deepEqual(many, { t: 3, output: output.slice(1, 3), y: y.slice(1, 3) })
  const { body: last } = await request.post(`${session}/sequence`).send({ ids: [2], return_sequences: false }).expect(200)
  assert.deepEqual(last, { t: 4, output: [output[3]], y: [y[3]] })
  for (const [end, body, status, message] of [
    ['step', { ids: [0] }, 400, /expected an integer, got an array of integers/], ['step', { ids: 5 }, 422, /expected 0 to 4/],
    ['step', { x: [1, 2] }, 422, /send ids/], ['sequence', { ids: [[0]] }, 400, /expected an integer or an array of integers/], ['step', {}, 400, /is required/]
  ] as const) {
    const { body: problem } = await request.post(`${session}/${end}`).send(body).expect(status)
    assert.match(problem.detail, message)
  }
  const binary = await make(request, {}, '/models/speller/sessions')
  const { body: stored } = await request.post(`${binary}/sequence`).set('content-type', 'application/vnd.safetensors')
    .send(Buffer.from(writeSafetensors({ ids: { dtype: 'I32', shape: [2], bytes: new Uint8Array(Int32Array.of(0, 4).buffer) } }))).responseType('blob').expect(200)
  assert.ok(stored instanceof Buffer)
  assert.deepEqual([...parseSafetensors(stored).keys()], ['output', 'y', 't'])
})

test('the same x several times is one row, too', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: { output } } = await request.post('/sequence').send({ x: ROW[0], steps: 3 }).expect(200)
  for (const x of [ROW[0], [ROW[0]]]) {
    const session = await make(request)
    assert.deepEqual((await request.post(`${session}/sequence`).send({ x, steps: 3 }).expect(200)).body, { t: 3, output })
    const { body } = await request.post(`${session}/sequence`).send({ x: ROW.slice(0, 2), steps: 3 }).expect(422)
    assert.match(body.detail, /\/x: a session has one row: with steps, x is one vector, \[1\]\[I\], got 2/)
  }
})

test('a client that leaves in the middle of a request leaves the session where it was', async (t) => {
  const { app, admission } = await startService(t)
  const request = supertest(app.server)
  const session = await make(request)
  for (const accept of ['application/json', 'application/x-ndjson']) {
    const client = new AbortController()
    const asked = fetch(`${app.listeningOrigin}${session}/sequence`, {
      method: 'POST', headers: { 'content-type': 'application/json', accept }, body: JSON.stringify({ x: [ROW[0]], steps: 60_000 }), signal: client.signal
    })
    await until(() => admission.rows === 1, 'it is in work')
    client.abort()
    await assert.rejects(async () => await (await asked).text())
    await until(() => admission.rows === 0 && admission.bytes === 0, 'it is given up')
    assert.equal((await request.get(session).expect(200)).body.t, 0)
  }
})
