import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { LARGE } from '../../src/wire/large-json.ts'
import { buildTestApp, startService } from '../support/app.ts'
import { overflowingModels, spellerModels } from '../support/models.ts'
import { floats, openSocket, refusedSocket } from '../support/sockets.ts'
import { until } from '../support/until.ts'

const ROW = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4], [1, 1]]
const STREAM = '/models/custom-lstm/stream'
const ATT = '/models/matching-networks'
const context = { support: [[1, 0, 0, 0], [0, 1, 0, 0], [0.5, -0.5, 0.25, 1]] }

const rounded = (values: readonly number[][]): number[] => values.flat().map(Math.fround)

test('a connection takes the steps of a sequence, one or many in a frame, as text or as bytes', async (t) => {
  const app = await buildTestApp(t)
  const { body: { output } } = await supertest(app.server).post('/sequence').send({ x: ROW }).expect(200)
  const client = await openSocket(t, app, STREAM)
  assert.deepEqual(await client.ask({ x: ROW[0] }), { t: 1, output: output[0] })
  assert.deepEqual(await client.ask({ x: ROW.slice(1, 3), t: 1 }), { t: 3, output: output.slice(1, 3) })
  assert.deepEqual(await client.askNumbers(floats(...ROW[3])), rounded([output[3]]))
  const binary = await openSocket(t, app, STREAM)
  assert.deepEqual(await binary.askNumbers(floats(...ROW.flat())), rounded(output))
  assert.deepEqual(await binary.ask({ x: ROW[0], steps: 3, return_sequences: false, t: 4 }).then(({ t }) => t), 7)
})

test('frames that are sent at once are answered in their order', async (t) => {
  const app = await buildTestApp(t)
  const x = Array.from({ length: 300 }, (_, i) => ROW[i % 4])
  const { body: { output } } = await supertest(app.server).post('/sequence').send({ x }).expect(200)
  const client = await openSocket(t, app, STREAM)
  for (const [i, step] of x.entries()) client.send(i % 2 === 0 ? { x: step } : floats(...step))
  for (const [i, step] of output.entries()) {
    if (i % 2 === 0) assert.deepEqual(await client.next(), { t: i + 1, output: step })
    else assert.deepEqual(await client.nextNumbers(), rounded([step]))
  }
})

test('a text frame that is read in a thread is answered as a short one, in its turn', async (t) => {
  const app = await buildTestApp(t)
  const { body: { output } } = await supertest(app.server).post('/sequence').send({ x: ROW }).expect(200)
  const client = await openSocket(t, app, STREAM)
  client.send(JSON.stringify({ x: ROW[0] }).padEnd(LARGE))
  client.send({ x: ROW[1] })
  assert.deepEqual(await client.next(), { t: 1, output: output[0] })
  assert.deepEqual(await client.next(), { t: 2, output: output[1] })
  for (const text of ['{"x":[1,2,3]}', '{"x":[1,null]}', '{"x":[1,2],"k":1}']) assert.deepEqual(await client.ask(text.padEnd(LARGE)), await client.ask(text))
  client.send('{"x":[1,2]}}'.padEnd(LARGE))
  assert.equal((await client.next()).status, 400)
  assert.deepEqual(await client.closed, { code: 1007, reason: 'the frame is not a JSON object' })
})

test('a large text frame is safe to send again to a stored session', async (t) => {
  const app = await buildTestApp(t)
  const { body: { session } } = await supertest(app.server).post('/models/custom-lstm/sessions').send({}).expect(201)
  const client = await openSocket(t, app, `${STREAM}?session=${session}`)
  const step = JSON.stringify({ x: ROW[0], t: 0 }).padEnd(LARGE)
  const first = await client.ask(step)
  assert.equal(first.t, 1)
  assert.deepEqual(await client.ask(step), first)
  assert.equal((await client.ask(`${step} `)).status, 409)
})

test('a row begins as its first frame says, whose context travels once', async (t) => {
  const app = await buildTestApp(t)
  const x = [[0.5, 0.1, -0.2, 0.3], [1, 0, 0, 1], [0, 1, 0.5, 0]]
  const parts = ['read', 'attention']
  const h0 = [0.1, -0.2, 0.3, 0.4]
  const request = supertest(app.server)
  const { body: whole } = await request.post(`${ATT}/sequence`).send({ x, context, parts, h_0: h0 }).expect(200)
  const client = await openSocket(t, app, `${ATT}/stream`)
  assert.deepEqual(await client.ask({ context, h_0: h0 }), { t: 0 })
  const first = await client.ask({ x: x[0], parts })
  assert.deepEqual(first, { t: 1, output: whole.output[0], parts: { read: whole.parts.read[1], attention: whole.parts.attention[1] } })
  const { status, detail } = await client.ask({ x: x[1], h_0: h0 })
  assert.equal(status, 422)
  assert.match(String(detail), /^\/h_0: says where a row begins, and this one has taken 1 steps: send "begin": true with it to begin anew$/)
  assert.deepEqual((await client.ask({ x: x.slice(1) })).output, whole.output.slice(1))
  // Begun anew, it has no context until one comes.
  assert.deepEqual(await client.ask({ begin: true }), { t: 0 })
  assert.match(String((await client.ask({ x: x[0] })).detail), /\/context/)
  assert.deepEqual(await client.ask({ begin: true, context, h_0: h0, x: x[0] }), { t: 1, output: whole.output[0] })
})

test('a model that begins with an embedding takes ids, and one with a readout answers y', async (t) => {
  const app = await buildTestApp(t, '--models', await spellerModels(t))
  const ids = [0, 4, 2]
  const { body: { output, y } } = await supertest(app.server).post('/sequence').send({ ids }).expect(200)
  const client = await openSocket(t, app, '/models/speller/stream')
  assert.deepEqual(await client.ask({ ids: 0 }), { t: 1, output: output[0], y: y[0] })
  assert.deepEqual(await client.ask({ ids: [4, 2] }), { t: 3, output: output.slice(1), y: y.slice(1) })
  const binary = await openSocket(t, app, '/models/speller/stream')
  const bytes = new Uint8Array(Int32Array.from(ids).buffer)
  assert.deepEqual(await binary.askNumbers(bytes), rounded(output.map((row: number[], i: number) => [...row, ...y[i]])))
  const chosen = await openSocket(t, app, '/models/speller/stream?fields=y')
  assert.deepEqual(await chosen.askNumbers(bytes), rounded(y))
  assert.deepEqual(await chosen.ask({ ids: 3 }).then(Object.keys), ['t', 'y'])
  for (const [frame, path, message] of [
    [{ ids: 5 }, '/ids', /expected 0 to 4/], [{ ids: 1.5 }, '/ids', /an integer/], [{ x: [1, 2] }, '/x', /send ids/],
    [new Uint8Array(6), '/ids', /a multiple of 4 bytes, got 6/], [new Uint8Array(Int32Array.of(9).buffer), '/ids/0', /expected 0 to 4/]
  ] as const) {
    const { errors } = await chosen.ask(frame)
    assert.ok(Array.isArray(errors))
    assert.equal(errors[0].path, path)
    assert.match(errors[0].message, message)
  }
})

test('what fails is answered with a problem as over HTTP, and the row stays where it was', async (t) => {
  const app = await buildTestApp(t, '--models', await overflowingModels(t))
  const client = await openSocket(t, app, '/models/overflowing/stream')
  const { output } = await client.ask({ x: [0.1, 0.2] })
  const cases: Array<[frame: object | Uint8Array, status: number, path: string | undefined, detail: RegExp]> = [
    [{ x: [3e38, -3e38] }, 422, undefined, /overflows float32/],
    [{ x: [[0.1, 0.2], [3e38, -3e38]] }, 422, undefined, /overflows float32/],
    [{ x: [1, 2, 3] }, 422, '/x', /expected vectors of 2 numbers/],
    [{ x: [1, 'one'] }, 400, '/x/1', /number/],
    [{}, 400, '/x', /is required/],
    [{ x: [1, 2], y: 1 }, 400, '/y', /is not a known field/],
    [{ x: [1, 2], t: 0 }, 409, undefined, /has taken 1 steps: t = 1, and the request is for t = 0/],
    [{ x: [1, 2], parts: ['read'] }, 422, '/parts/0', /there is no part "read"/],
    [{ x: [[1, 2], [3, 4]], steps: 2 }, 422, '/x', /one vector/],
    [{ state: 'odd' }, 422, '/state', /says where a row begins/],
    [new Uint8Array(0), 422, '/x', /a multiple of 8 bytes, got 0/],
    [new Uint8Array(12), 422, '/x', /a multiple of 8 bytes, got 12/],
    [floats(1, NaN), 422, '/x/0/1', /is not finite/]
  ]
  for (const [frame, status, path, detail] of cases) {
    const problem = await client.ask(frame)
    assert.deepEqual([problem.type, problem.status], ['about:blank', status], JSON.stringify(problem))
    assert.match(String(problem.detail), detail)
    if (path !== undefined) assert.ok(Array.isArray(problem.errors) && problem.errors[0].path === path, JSON.stringify(problem))
  }
  const other = await openSocket(t, app, '/models/overflowing/stream')
  assert.deepEqual((await other.ask({ x: [[0.1, 0.2], [0.3, 0.4]] })).output, [output, (await client.ask({ x: [0.3, 0.4] })).output])
})

test('a token goes on elsewhere', async (t) => {
  const app = await buildTestApp(t)
  const client = await openSocket(t, app, STREAM)
  await client.ask({ x: ROW.slice(0, 2) })
  const { state } = await client.ask({ state: true })
  const other = await openSocket(t, app, STREAM)
  assert.deepEqual(await other.ask({ state }), { t: 2 })
  assert.deepEqual(await other.ask({ x: ROW[2] }), await client.ask({ x: ROW[2] }))
  const { body } = await supertest(app.server).post('/step').send({ x: ROW[2], state }).expect(200)
  assert.deepEqual((await client.ask({ x: ROW[3], state: true })).t, 4)
  assert.equal(body.state, (await other.ask({ state: true })).state)
})

test('a connection may take the steps of a stored session, which others take too', async (t) => {
  const app = await buildTestApp(t)
  const request = supertest(app.server)
  const { body: { output } } = await request.post('/sequence').send({ x: ROW }).expect(200)
  const { body: { session } } = await request.post('/models/custom-lstm/sessions').send({}).expect(201)
  const client = await openSocket(t, app, `${STREAM}?session=${session}`)
  assert.deepEqual(await client.ask({ x: ROW[0], t: 0 }), { t: 1, output: output[0] })
  // Sent again, it was taken already.
  assert.deepEqual(await client.ask({ x: ROW[0], t: 0 }), { t: 1, output: output[0] })
  await request.post(`/sessions/${session}/step`).send({ x: ROW[1] }).expect(200)
  assert.equal((await client.ask({ x: ROW[2], t: 1 })).status, 409)
  assert.deepEqual(await client.askNumbers(floats(...ROW[2])), rounded([output[2]]))
  assert.equal((await client.ask({ begin: true })).status, 422)
  assert.equal((await client.ask({ h_0: [1, 2, 3], x: ROW[0] })).status, 422)
  const { t: now, state } = await client.ask({ state: true })
  const { body: exported } = await request.get(`/sessions/${session}`).expect(200)
  assert.deepEqual([now, state], [3, exported.state])
  await request.delete(`/sessions/${session}`).expect(204)
  const { status, detail } = await client.ask({ x: ROW[3] })
  assert.deepEqual([status, detail], [410, 'the session has ended: deleted'])
})

test('of two steps at once of a stored session one is taken, wherever they come from', async (t) => {
  const app = await buildTestApp(t)
  const request = supertest(app.server)
  const { body: { session } } = await request.post('/models/custom-lstm/sessions').send({}).expect(201)
  const clients = await Promise.all([1, 2, 3, 4].map(async () => await openSocket(t, app, `${STREAM}?session=${session}`)))
  const answers = await Promise.all(clients.map(async (client, i) => await client.ask({ x: [i, 1] })))
  const taken = answers.filter(({ status }) => status === undefined).length
  assert.ok(taken >= 1 && answers.every(({ status }) => status === undefined || status === 409), JSON.stringify(answers))
  assert.equal((await request.get(`/sessions/${session}`).expect(200)).body.t, taken)
})

test('a client that leaves in the middle of a step leaves the session where it was', async (t) => {
  const { app, admission } = await startService(t)
  const request = supertest(app.server)
  const { body: { session } } = await request.post('/models/custom-lstm/sessions').send({}).expect(201)
  const client = await openSocket(t, app, `${STREAM}?session=${session}`)
  client.send({ x: ROW[0], steps: 60_000 })
  await until(() => admission.rows === 1, 'the steps are in work')
  client.socket.terminate()
  await until(() => admission.rows === 0 && admission.bytes === 0, 'they are given up')
  assert.equal((await request.get(`/sessions/${session}`).expect(200)).body.t, 0)
})

test('the handshake is refused with a problem', async (t) => {
  const app = await buildTestApp(t, '--api-key', 'key-number-one', '--api-key', 'key-number-two')
  const headers = { 'x-api-key': 'key-number-one' }
  const request = supertest(app.server)
  const { body: { session } } = await request.post('/models/custom-lstm/sessions').set(headers).send({}).expect(201)
  const other = await request.post('/models/symmetric/sessions').set(headers).send({}).expect(201)
  await request.delete(`/sessions/${other.body.session}`).set(headers).expect(204)
  const cases: Array<[path: string, headers: Record<string, string>, status: number, detail: RegExp]> = [
    [STREAM, {}, 401, /expected an API key/],
    ['/models/nobody/stream', headers, 404, /there is no model "nobody"/],
    ['/models/bidirectional-lstm/stream', headers, 422, /two directions/],
    [`${STREAM}?session=nobody`, headers, 404, /there is no such session/],
    [`${STREAM}?session=${session}`, { 'x-api-key': 'key-number-two' }, 404, /there is no such session/],
    [`/models/symmetric/stream?session=${session}`, headers, 409, /belongs to the model custom-lstm/],
    [`/models/symmetric/stream?session=${other.body.session}`, headers, 410, /has ended: deleted/],
    [`${STREAM}?sessions=1`, headers, 400, /sessions in the query string: is not a known field/],
    [`${STREAM}?fields=h_out`, headers, 400, /fields in the query string/]
  ]
  for (const [path, headers, status, detail] of cases) {
    const refused = await refusedSocket(app, path, { headers })
    assert.equal(refused.status, status, JSON.stringify(refused))
    assert.match(String(refused.body.detail), detail)
  }
  const { body, headers: { upgrade } } = await request.get(STREAM).set(headers).expect(426).expect('content-type', /^application\/problem\+json/)
  assert.match(body.detail, /expected a WebSocket/)
  assert.equal(upgrade, 'websocket')
})
