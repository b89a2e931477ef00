import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import supertest from 'supertest'
import { lastingService, startService } from '../../support/app.ts'
import { floats, inferBinary, inferJson, type InferenceAnswer } from '../../support/inference.ts'
import { f32 } from '../../support/safetensors.ts'
import { startValkey, withValkey } from '../../support/valkey.ts'

const ROW = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4], [1, 1]]
const PATH = '/v2/models/custom-lstm/infer'
const ATT = '/v2/models/matching-networks/infer'

type Server = Awaited<ReturnType<typeof startService>>['app']['server']

const start = { sequence_start: true }
const end = { sequence_end: true }

/** A step of a sequence, or steps. */
async function take (server: Server, id: number | string, x: readonly number[], parameters: object = {}, path = PATH): Promise<InferenceAnswer> {
  return await inferBinary(server, path, { x: f32([1, x.length], x) }, { parameters: { sequence_id: id, ...parameters } })
}

async function outputOf (answer: Promise<InferenceAnswer>): Promise<number[]> {
  const { error, outputs } = await answer
  assert.equal(error, undefined)
  return outputs.output
}

async function fault (answer: Promise<InferenceAnswer>, status: number): Promise<string> {
  const { status: is, error = '' } = await answer
  assert.equal(is, status, error)
  return error
}

const { app: { server }, admission } = await lastingService()

/** What /sequence makes of the row. */
async function whole (server: Server): Promise<number[][]> {
  return (await supertest(server).post('/sequence').send({ x: [ROW], fields: ['output'] }).expect(200)).body.output[0].map((h: number[]) => h.map(Math.fround))
}

test('a sequence has the numbers of /sequence, step by step or many at once, and its end frees it', async () => {
  const expected = await whole(server)
  const first = await take(server, 5, ROW[0], start)
  assert.deepEqual([first.outputs, first.shapes, first.head.parameters], [{ output: expected[0] }, { output: [1, 3] }, { t: 1 }])
  const many = await inferBinary(server, PATH, { x: f32([1, 2, 2], ROW.slice(1, 3).flat()) }, { parameters: { sequence_id: 5 } })
  assert.deepEqual([many.outputs.output, many.shapes.output, many.head.parameters], [expected.slice(1, 3).flat(), [1, 2, 3], { t: 3 }])
  const listed = async (): Promise<number[]> => (await supertest(server).get('/models/custom-lstm/sessions').expect(200)).body.sessions.map(({ t }: { t: number }) => t)
  assert.deepEqual(await listed(), [3], 'it is a session')
  assert.deepEqual(await outputOf(take(server, 5, ROW[3], end)), expected[3])
  assert.equal(await fault(take(server, 5, ROW[0]), 410), 'model custom-lstm: sequence 5 has ended: deleted; sequence_start begins it again')
  assert.deepEqual(await listed(), [])
  const alone = await inferBinary(server, PATH, { x: f32([1, 4, 2], ROW.flat()) }, { parameters: { sequence_id: 6, ...start, ...end } })
  assert.deepEqual(alone.outputs.output, expected.flat())
  assert.match(await fault(take(server, 6, ROW[0]), 404), /there is no sequence 6/)
})

test('without a start a sequence is not there, nor is its end', async () => {
  assert.equal(await fault(take(server, 7, ROW[0]), 404), 'model custom-lstm: there is no sequence 7: send sequence_start with its first request')
  assert.equal(await fault(take(server, '7', ROW[0], end), 404), 'model custom-lstm: there is no sequence "7": send sequence_start with its first request')
  assert.equal(await fault(inferBinary(server, PATH, { x: f32([1, 2], ROW[0]) }, { parameters: end }), 400), '/parameters/sequence_end: needs a sequence_id, and there is none')
})

test('a start begins a sequence anew; one that fails leaves the one before', async () => {
  const expected = await whole(server)
  await take(server, 5, ROW[0], start)
  await take(server, 5, ROW[1])
  for (const [status, answer] of [
    [422, take(server, 5, [1, 2, 3], start)],
    [422, inferBinary(server, PATH, { x: f32([1, 2], ROW[0]), h_in: f32([1, 5], [1, 2, 3, 4, 5]) }, { parameters: { sequence_id: 5, ...start } })],
    [422, inferBinary(server, PATH, { x: f32([2, 2], [...ROW[0], ...ROW[1]]) }, { parameters: { sequence_id: 5, ...start } })],
    [400, inferBinary(server, PATH, { x: f32([1, 2], ROW[0]) }, { parameters: { sequence_id: 5, ...start, ...end }, outputs: [{ name: 'h_out' }] })],
    [409, take(server, 5, ROW[0], { ...start, t: 2 })]
  ] as const) await fault(answer, status)
  assert.deepEqual(await outputOf(take(server, 5, ROW[2])), expected[2])
  assert.deepEqual(await outputOf(take(server, 5, ROW[0], start)), expected[0])
  assert.deepEqual(await outputOf(take(server, 5, ROW[1])), expected[1])
})

test('a step that fails leaves the sequence where it was, and so does an end that fails', async () => {
  const expected = await whole(server)
  await take(server, 5, ROW[0], start)
  assert.match(await fault(take(server, 5, [1, 2, 3]), 422), /\/x: expected vectors of 2 numbers/)
  assert.match(await fault(take(server, 5, [1, NaN], end), 422), /NaN is not finite/)
  assert.match(await fault(inferBinary(server, PATH, { x: f32([2, 2], [1, 2, 3, 4]) }, { parameters: { sequence_id: 5 } }), 422), /^\/x: a sequence that the service keeps has one row: expected a first dimension of 1, got 2$/)
  assert.match(await fault(inferBinary(server, PATH, { x: f32([1, 2], [1, 2]), h_in: f32([1, 6], [1, 2, 3, 4, 5, 6]) }, { parameters: { sequence_id: 5 } }), 422), /^\/h_in: says where a sequence begins: send it with sequence_start$/)
  assert.match(await fault(inferBinary(server, PATH, {}, { parameters: { sequence_id: 5 } }), 400), /\/x: is required/)
  assert.match(await fault(inferBinary(server, PATH, { x: f32([1, 1, 2], [1, 2]), lengths: floats('FP32', [1], [1]) }, { parameters: { sequence_id: 5 } }), 400), /lengths is INT32 or INT64/)
  assert.deepEqual(await outputOf(take(server, 5, ROW[1])), expected[1])
})

test('ids are numbers of 64 bits or strings; each model has its own', async () => {
  const expected = await whole(server)
  const ids = ['9007199254740992', '9007199254740993', '18446744073709551615', '1', '"1"', '"9007199254740993"', '"user 7"', `"${'x'.repeat(500)}"`]
  const send = async (id: string, x: readonly number[], flags: string): Promise<InferenceAnswer> =>
    await inferJson(server, PATH, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[${x.join()}]}],"parameters":{"sequence_id":${id}${flags}}}`)
  for (const [i, id] of ids.entries()) await send(id, ROW[i % 2], ',"sequence_start":true')
  for (const [i, id] of ids.entries()) {
    const { head, outputs } = await send(id, ROW[1], '')
    assert.deepEqual(head.parameters, { t: 2 })
    assert.equal(outputs.output[0] === expected[1][0], i % 2 === 0, id)
  }
  assert.match(await fault(take(server, 1, [1, 0, 0, 1], {}, '/v2/models/matching-networks/infer'), 404), /model matching-networks: there is no sequence 1/)
  assert.match(await fault(send('18446744073709551616', ROW[0], ''), 400), /expected a string or an integer from 0 to 18446744073709551615/)
  assert.equal((await send('0', ROW[0], '')).shapes.h_out.length, 2, 'no sequence at all')
})

test('a sequence begins with states and a context, which travel once', async () => {
  const support = [[1, 0, 0, 0], [0, 1, 0, 0], [0.5, -0.5, 0.25, 1]]
  const x = [[0.5, 0.1, -0.2, 0.3], [1, 0, 0, 1]]
  const h = [0.1, 0.2, 0.3, 0.4]
  const { body } = await supertest(server).post('/models/matching-networks/sequence').send({ x, h_0: h, context: { support }, parts: ['attention'], fields: ['output', 'parts'] }).expect(200)
  for (const shape of [[3, 4], [1, 3, 4]]) {
    const inputs = { x: f32([1, 4], x[0]), support: f32(shape, support.flat()), h_0: f32([1, 4], h) }
    await inferBinary(server, ATT, inputs, { parameters: { sequence_id: 'a', ...start } })
    const { outputs, shapes } = await inferBinary(server, ATT, { x: f32([1, 4], x[1]) }, { parameters: { sequence_id: 'a' }, outputs: [{ name: 'parts/attention' }, { name: 'output' }] })
    assert.deepEqual(outputs, { 'parts/attention': body.parts.attention[2].map(Math.fround), output: body.output[1].map(Math.fround) })
    assert.deepEqual(shapes, { 'parts/attention': [1, 3], output: [1, 4] })
  }
  assert.match(await fault(inferBinary(server, ATT, { x: f32([1, 4], x[0]), support: f32([3, 4], support.flat()) }, { parameters: { sequence_id: 'a' } }), 422), /^\/support: says where a sequence begins/)
  assert.match(await fault(inferBinary(server, ATT, { x: f32([1, 4], x[0]) }, { parameters: { sequence_id: 'b', ...start } }), 400), /\/context\/support: is required/)
})

test('a sequence may begin and end without steps', async () => {
  const expected = await whole(server)
  const begun = await inferBinary(server, PATH, {}, { parameters: { sequence_id: 5, ...start } })
  assert.deepEqual([begun.status, begun.outputs, begun.head.parameters], [200, {}, { t: 0 }])
  assert.deepEqual(await outputOf(take(server, 5, ROW[0])), expected[0])
  assert.deepEqual((await inferBinary(server, PATH, {}, { parameters: { sequence_id: 5, ...end } })).head.parameters, { t: 1 })
  assert.match(await fault(take(server, 5, ROW[1]), 410), /has ended: deleted/)
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})

test('with t a request is safe to send again', async () => {
  await take(server, 5, ROW[0], start)
  const once = await take(server, 5, ROW[1], { t: 1 })
  const again = await take(server, 5, ROW[1], { t: 1 })
  assert.deepEqual([again.head, again.outputs], [once.head, once.outputs])
  assert.match(await fault(take(server, 5, ROW[2], { t: 1 }), 409), /the session has taken 2 steps: t = 2, and the request is for t = 1/)
})

test('of two requests of a sequence at once one is refused, and the sequence goes on', async () => {
  await take(server, 5, ROW[0], start)
  const answers = await Promise.all(Array.from({ length: 4 }, async () => await inferBinary(server, PATH, { x: f32([1, 2], ROW[1]) }, { parameters: { sequence_id: 5, steps: 2000 } })))
  const taken = answers.filter(({ status }) => status === 200).length
  assert.ok(taken >= 1 && answers.every(({ status }) => status === 200 || status === 409), answers.map(({ error }) => error).join())
  assert.deepEqual((await take(server, 5, ROW[2])).head.parameters, { t: 2 + 2000 * taken })
})

test('a sequence that nobody uses ends, and says so', async (t) => {
  const { app: { server } } = await startService(t, '--session-timeout', '1')
  await take(server, 5, ROW[0], start)
  await setTimeout(1100)
  assert.equal(await fault(take(server, 5, ROW[1]), 410), 'model custom-lstm: sequence 5 has ended: expired; sequence_start begins it again')
  assert.deepEqual((await take(server, 5, ROW[1], start)).head.parameters, { t: 1 })
})

test('a full store refuses new sequences, and lets those that live begin again', async (t) => {
  const { app: { server } } = await startService(t, '--max-sessions', '2')
  for (const id of [5, 6]) await take(server, id, ROW[0], start)
  assert.match(await fault(take(server, 7, ROW[0], start), 503), /^no room for another session: 2 of 2 live/)
  assert.deepEqual((await take(server, 6, ROW[0], start)).head.parameters, { t: 1 })
  await take(server, 5, ROW[0], end)
  assert.deepEqual((await take(server, 7, ROW[0], start)).head.parameters, { t: 1 })
})

test('with keys each key has sequences of its own', async (t) => {
  const { app: { server } } = await startService(t, '--api-key', 'key-number-one', '--api-key', 'key-number-two')
  const send = (key: string, parameters: object) => supertest(server).post(PATH).set('x-api-key', `key-number-${key}`).send({ inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] }], parameters: { sequence_id: 5, ...parameters } })
  await send('one', start).expect(200)
  await send('two', {}).expect(404)
  await send('two', start).expect(200)
  assert.deepEqual((await send('one', {}).expect(200)).body.parameters, { t: 2 })
})

test('a sequence goes on on any replica that shares the store, also one that begins anew with another context', withValkey, async (t) => {
  const { url } = await startValkey(t)
  const [one, two] = await Promise.all([0, 1].map(async () => (await startService(t, '--sessions', url)).app.server))
  const expected = await whole(one)
  assert.deepEqual(await outputOf(take(one, 5, ROW[0], start)), expected[0])
  assert.deepEqual(await outputOf(take(two, 5, ROW[1])), expected[1])
  await take(two, 5, ROW[0], start)
  assert.deepEqual(await outputOf(take(one, 5, ROW[1], end)), expected[1])
  assert.match(await fault(take(two, 5, ROW[1]), 410), /sequence 5 has ended: deleted/)

  const x = [1, 0, 0, 1]
  const supports = [[1, 0, 0, 0], [0, 0, 0, 9]]
  for (const [i, [first, second]] of [[one, two], [two, one]].entries()) {
    const { body } = await supertest(one).post('/models/matching-networks/sequence').send({ x: [x, x, x], context: { support: [supports[i]] }, fields: ['output'] }).expect(200)
    const outputs = body.output.map((h: number[]) => h.map(Math.fround))
    assert.deepEqual(await outputOf(inferBinary(first, ATT, { x: f32([1, 4], x), support: f32([1, 4], supports[i]) }, { parameters: { sequence_id: 8, ...start } })), outputs[0])
    // Each step makes the attention read that feeds the next one.
    for (const expected of outputs.slice(1)) assert.deepEqual(await outputOf(take(second, 8, x, {}, ATT)), expected)
  }
})
