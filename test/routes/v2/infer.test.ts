import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import supertest from 'supertest'
import { LARGE } from '../../../src/wire/large-json.ts'
import { buildTestApp, lastingService, startService } from '../../support/app.ts'
import { scaled } from '../../support/full.ts'
import { createConnection, postBytes } from '../../support/http.ts'
import { floats, i32, i64, infer, inferBinary, inferJson, jsonInference, binaryInference } from '../../support/inference.ts'
import { overflowingModels, spellerModels, writeModels } from '../../support/models.ts'
import { customLstm, f32, writeSafetensors } from '../../support/safetensors.ts'
import { assertFree } from '../../support/turns.ts'

const X = [[[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4]], [[1, 1], [2, 3], [0, 0]]]
const H = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
const C = [[1, 2, 3], [4, 5, 6]]
const PATH = '/v2/models/custom-lstm/infer'
const x = f32([2, 3, 2], X.flat(2))
const step = { x: f32([2, 2], [...X[0][0], ...X[1][0]]) }

const { app: { server, listeningOrigin }, admission } = await lastingService()

/** The numbers of an answer of ours, each tensor's one after the other. */
const flat = (answer: Record<string, unknown>): Record<string, number[]> => Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, [value].flat(4).map((number) => Math.fround(Number(number)))]))

test('x of two dimensions is a step, of three a sequence, and both are those of /step and /sequence, bit by bit', async () => {
  const { body: stepped } = await supertest(server).post('/step').send({ x: [X[0][0], X[1][0]], h_in: H, c_in: C }).expect(200)
  const { body: sequence } = await supertest(server).post('/sequence').send({ x: X, lengths: [3, 1] }).expect(200)
  for (const more of [{}, { parameters: { binary_data_output: true } }]) {
    const one = await inferBinary(server, PATH, { ...step, h_in: f32([6], H), c_in: f32([2, 3], C.flat()) }, more)
    assert.deepEqual([one.status, one.outputs, one.shapes], [200, flat(stepped), { h_out: [2, 3], c_out: [2, 3] }])
    const many = await inferBinary(server, PATH, { x, lengths: i32([2], [3, 1]) }, more)
    assert.deepEqual(many.outputs, flat(sequence))
    assert.deepEqual(many.shapes, { output: [2, 3, 3], h_out: [2, 3], c_out: [2, 3], h_next: [2, 6] })
    const byJson = await inferJson(server, PATH, jsonInference({ x: { shape: [2, 3, 2], values: X }, lengths: { shape: [2], values: [3, 1], datatype: 'INT32' } }, more))
    assert.deepEqual(byJson.outputs, many.outputs)
  }
})

test('an answer says its model, its version and the id of its request; its types are those of the protocol', async () => {
  const { body: { version } } = await supertest(server).get('/models/custom-lstm')
  const json = await inferBinary(server, PATH, step, { id: 'a "b" é' })
  const { outputs: _, ...head } = json.head
  assert.deepEqual(head, { model_name: 'custom-lstm', model_version: version, id: 'a "b" é' })
  assert.match(json.headers['content-type'], /^application\/json/)
  const binary = await inferBinary(server, PATH, step, { id: '', parameters: { binary_data_output: true } })
  assert.equal(binary.head.id, '')
  assert.equal(binary.headers['content-type'], 'application/octet-stream')
})

test('outputs are those that are asked for, in that order, as bytes or JSON', async () => {
  const all = await inferBinary(server, PATH, { x })
  const outputs = [{ name: 'h_next' }, { name: 'output', parameters: { binary_data: false } }, { name: 'c_out', parameters: { binary_data: true } }]
  for (const binary of [false, true]) {
    const some = await inferBinary(server, PATH, { x }, { outputs, parameters: { binary_data_output: binary } })
    const { h_out: _, ...rest } = all.outputs
    assert.deepEqual(Object.keys(some.outputs), ['h_next', 'output', 'c_out'])
    assert.deepEqual(some.outputs, rest)
    const written: ReadonlyArray<{ data?: unknown }> = Object(some.head.outputs)
    assert.deepEqual(written.map(({ data }) => data !== undefined), [!binary, true, false])
  }
  const last = await inferBinary(server, PATH, { x }, { parameters: { return_sequences: false }, outputs: [{ name: 'output' }] })
  assert.deepEqual([last.shapes.output, last.outputs.output], [[2, 1, 3], all.outputs.h_out])
  assert.deepEqual((await inferBinary(server, PATH, { x }, { outputs: [] })).outputs, all.outputs)
})

test('a context is inputs, and parts are outputs', async () => {
  const support = [[1, 0, 0, 0], [0, 0, 0, 1]]
  const { body } = await supertest(server).post('/models/matching-networks/sequence').send({ x: [[1, 0, 0, 1]], steps: 3, context: { support }, parts: ['attention', 'read'], fields: ['output', 'parts'] }).expect(200)
  const outputs = ['output', 'parts/attention', 'parts/read'].map((name) => ({ name }))
  const answer = await inferBinary(server, '/v2/models/matching-networks/infer', { x: f32([1, 4], [1, 0, 0, 1]), support: f32([2, 4], support.flat()) }, { outputs, parameters: { steps: 3 } })
  assert.deepEqual(answer.outputs, { output: flat(body).output, 'parts/attention': flat(body.parts).attention, 'parts/read': flat(body.parts).read })
  assert.deepEqual(answer.shapes['parts/attention'], [1, 4, 2])
})

test('ids take the place of x, [B] for a step and [B][T] for a sequence, of both datatypes', async (t) => {
  const { server } = await buildTestApp(t, '--models', await spellerModels(t))
  const path = '/v2/models/speller/infer'
  const { body: stepped } = await supertest(server).post('/step').send({ ids: [1, 4] }).expect(200)
  const { body: sequence } = await supertest(server).post('/sequence').send({ ids: [[1, 2], [3, 4]] }).expect(200)
  for (const integers of [i32, i64]) {
    assert.deepEqual((await inferBinary(server, path, { ids: integers([2], [1, 4]) })).outputs, flat(stepped))
    assert.deepEqual((await inferBinary(server, path, { ids: integers([2, 2], [1, 2, 3, 4]) })).outputs, flat(sequence))
  }
  assert.deepEqual((await inferJson(server, path, jsonInference({ ids: { shape: [2, 2], values: [[1, 2], [3, 4]], datatype: 'INT64' } }))).outputs, flat(sequence))
  const raw = await infer(server, path, Buffer.from(BigInt64Array.of(1n, 2n).buffer), { 'inference-header-content-length': '0' })
  assert.deepEqual(raw.outputs.output, flat(sequence).output.slice(0, 6))
  assert.match((await inferBinary(server, path, { ids: i64([1], [9]) })).error ?? '', /\/ids\/0: expected 0 to 4 \(the vocabulary has 5 rows\), got 9/)
  assert.match((await inferBinary(server, path, { ids: i64([], [1]) })).error ?? '', /\/ids: expected \[B\], a step of each row, or \[B\]\[T\]/)
})

test('a body of one input is a sequence of one row, and is answered in bytes', async () => {
  const { body } = await supertest(server).post('/sequence').send({ x: [X[0]] }).expect(200)
  const answer = await infer(server, PATH, Buffer.from(Float32Array.from(X[0].flat()).buffer), { 'inference-header-content-length': '0' })
  assert.deepEqual(answer.outputs, flat(body))
  assert.equal(answer.headers['content-type'], 'application/octet-stream')
})

test('any content type will do, and none', async (t) => {
  const body = Buffer.from(JSON.stringify(jsonInference({ x: { shape: [1, 2], values: [1, 2] } })))
  for (const type of ['application/json', 'application/octet-stream', 'text/plain', 'application/x-www-form-urlencoded']) assert.equal((await infer(server, PATH, body, { 'content-type': type })).status, 200, type)
  const connection = createConnection(Number(new URL(listeningOrigin).port))
  t.after(() => connection.close())
  const send = async (lines: string, body: Buffer | string): Promise<string> => {
    const { status, body: answer } = await connection.send(Buffer.concat([Buffer.from(`POST ${PATH} HTTP/1.1\r\nhost: localhost\r\n${lines}\r\n`), Buffer.from(body)]), false)
    return `${status} ${answer.toString()}`
  }
  assert.match(await send(`content-length: ${body.length}\r\n`, body), /^200 \{"model_name"/)
  assert.match(await send('transfer-encoding: chunked\r\n', `${body.length.toString(16)}\r\n${body.toString()}\r\n0\r\n\r\n`), /^200 /)
  assert.equal(await send('content-length: 0\r\n', ''), '400 {"error":"the request is empty"}')
})

test('bodies in gzip and deflate are read, JSON and binary, and no others', async () => {
  const { body, length } = binaryInference({ x })
  const plain = await infer(server, PATH, body, { 'inference-header-content-length': String(length) })
  for (const [coding, encode] of [['gzip', gzipSync], ['deflate', deflateSync], ['GZIP', gzipSync]] as const) {
    const headers = { 'inference-header-content-length': String(length), 'content-encoding': coding }
    assert.deepEqual((await infer(server, PATH, encode(body), headers)).outputs, plain.outputs)
    const damaged = Buffer.from(encode(body))
    damaged[12] ^= 255
    const { status, error } = await infer(server, PATH, damaged, headers)
    assert.equal(status, 400)
    assert.match(error ?? '', /^the body is not (gzip|deflate): /)
    assert.match((await infer(server, PATH, encode(body).subarray(0, -6), headers)).error ?? '', /^the body is not (gzip|deflate): unexpected end of file$/)
  }
  for (const coding of ['br', 'gzip, gzip', 'x']) {
    const { status, error } = await infer(server, PATH, body, { 'content-encoding': coding })
    assert.deepEqual([status, error], [415, `expected a body in gzip, deflate or no content-encoding, got ${JSON.stringify(coding)}`])
  }
  assert.match((await supertest(server).post('/step').set('content-encoding', 'gzip').set('content-type', 'application/json').send(gzipSync('{}')).expect(415)).body.detail, /^expected a body without a content-encoding, got "gzip"$/)
})

test('a body is bounded as it is inflated, and nothing of it stays', async (t) => {
  const { app: { server }, admission } = await startService(t, '--body-limit', '100000')
  for (const [coding, encode] of [['gzip', gzipSync], ['deflate', deflateSync]] as const) {
    const { status, error } = await infer(server, PATH, encode(Buffer.alloc(2 ** 22, ' ')), { 'content-encoding': coding })
    assert.deepEqual([status, error], [413, 'the body is larger than the 100000 bytes allowed'])
  }
  assert.equal((await infer(server, PATH, Buffer.alloc(100_001, ' '))).status, 413)
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})

test('what does not fit is said in words, and names its place', async () => {
  const say = async (inputs: Parameters<typeof inferBinary>[2], more: object, status: number, message: RegExp): Promise<void> => {
    const answer = await inferBinary(server, PATH, inputs, more)
    assert.match(answer.error ?? '', message)
    assert.equal(answer.status, status, answer.error)
    assert.equal(answer.headers['content-type'], 'application/json')
  }
  await say({}, {}, 400, /^model custom-lstm: \/x: is required$/)
  await say({ x: f32([2], [1, 2]) }, {}, 422, /^\/x: expected \[B\]\[I\], a step of each row, or \[B\]\[T\]\[I\], a sequence of each, got one dimension$/)
  await say({ x: f32([1, 3], [1, 2, 3]) }, {}, 422, /^model custom-lstm: \/x: expected vectors of 2 numbers \(I\), got 3$/)
  await say({ ...step, h_in: f32([3, 6], [...H, ...H, ...H]) }, {}, 422, /\/h_in: expected 2 rows, as many as x has \(or one vector for all\), got 3$/)
  await say({ ...step, c_in: f32([1, 3], [1, 2, 3]) }, {}, 422, /\/c_in: expected 2 rows/)
  await say({ ...step, h_in: f32([1, 1, 6], H) }, {}, 400, /^\/h_in: expected an array of numbers or an array of arrays of numbers, got arrays nested 3 deep$/)
  await say({ ...step, lengths: i32([2], [1, 1]) }, {}, 422, /^\/lengths: is for sequences, \[B\]\[T\]\[I\], and this is a step of each row, \[B\]\[I\]$/)
  await say({ x, lengths: i32([2], [1, 4]) }, {}, 422, /\/lengths\/1: expected 1 to 3 \(T\), got 4$/)
  await say({ x, lengths: i32([1], [1]) }, {}, 422, /\/lengths: expected 2 lengths, one per row, got 1$/)
  await say({ x, support: f32([1, 3], [1, 2, 3]) }, {}, 400, /there is no input "support"; the inputs are x, h_in, c_in, h_0, lengths, ids$/)
  await say(step, { parameters: { return_sequences: false } }, 400, /^\/return_sequences: is not a known field$/)
  await say(step, { outputs: [{ name: 'output' }] }, 400, /^\/outputs\/0\/name: a step of custom-lstm has no output "output"; it has h_out, c_out$/)
  await say({ x }, { outputs: [{ name: 'y' }] }, 400, /^\/outputs\/0\/name: a sequence of custom-lstm has no output "y"; it has output, h_out, c_out, h_next, parts\/h, parts\/c, parts\/gates$/)
  await say({ x }, { outputs: [{ name: 'parts/read' }] }, 400, /has no output "parts\/read"/)
  await say({ x: floats('FP64', [1, 2], [1, 2]), ids: i64([1], [1]) }, {}, 422, /\/ids: this model does not begin with an embedding/)
  for (const length of ['-1', 'x', '1.5', '', '9'.repeat(20), '1, 1']) {
    const { status, error } = await infer(server, PATH, Buffer.from('{}'), { 'inference-header-content-length': length })
    assert.deepEqual([status, error], [400, `Inference-Header-Content-Length: expected a number of bytes, got ${JSON.stringify(length)}`])
  }
  assert.match((await infer(server, PATH, Buffer.alloc(0))).error ?? '', /^the request is empty$/)
  assert.match((await infer(server, '/v2/models/nobody/infer', Buffer.from('{}'))).error ?? '', /^there is no model "nobody"/)
  assert.equal((await infer(server, PATH, Buffer.from('{}'), { 'x-request-timeout': '0' })).error, 'x-request-timeout: expected seconds, more than 0, got "0"')
})

test('a model of two directions has sequences alone', async () => {
  const path = '/v2/models/bidirectional-lstm/infer'
  assert.deepEqual(Object.keys((await inferBinary(server, path, { x: f32([1, 2, 3], [1, 2, 3, 4, 5, 6]) })).outputs), ['output', 'h_out', 'c_out'])
  assert.match((await inferBinary(server, path, { x: f32([1, 3], [1, 2, 3]) })).error ?? '', /the network has two directions/)
  assert.match((await inferBinary(server, path, { x: f32([1, 3], [1, 2, 3]) }, { parameters: { sequence_id: 5, sequence_start: true } })).error ?? '', /two directions/)
})

test('arithmetic that overflows, and a timeout of microseconds', async (t) => {
  const { server } = await buildTestApp(t, '--models', await overflowingModels(t))
  const path = '/v2/models/overflowing/infer'
  const { status, error } = await inferBinary(server, path, { x: f32([1, 2], [3e38, 3e38]), h_in: f32([1, 3], [3e38, 3e38, 3e38]) })
  assert.equal(status, 422)
  assert.match(error ?? '', /the arithmetic overflows/)
  const late = await inferBinary(server, path, { x: f32([1, 2], [0, 0]) }, { parameters: { steps: 10_000, timeout: 1 } })
  assert.deepEqual([late.status, late.error], [504, 'model overflowing: the answer was not ready in the time allowed'])
  assert.equal((await inferBinary(server, path, { x: f32([1, 2], [0, 0]) }, { parameters: { timeout: 0, priority: 3 } })).status, 200)
})

test('large answers come in pieces; large JSON in front of bytes is refused', async () => {
  // Many rows of few steps, which engines of every speed compute in time.
  const inputs = { x: f32([220, 2], Array.from({ length: 440 }, (_, i) => i % 7)) }
  const more = { parameters: { steps: 100 }, outputs: [{ name: 'output' }, { name: 'h_out' }] }
  const json = await inferBinary(server, PATH, inputs, more)
  const binary = await inferBinary(server, PATH, inputs, { ...more, parameters: { ...more.parameters, binary_data_output: true } })
  assert.equal(json.outputs.output.length, 66_000)
  assert.deepEqual(json.outputs, binary.outputs)
  const { status, error } = await inferBinary(server, PATH, inputs, { ...more, outputs: [{ name: 'output' }, { name: 'h_out', parameters: { binary_data: true } }] })
  assert.equal(status, 422)
  assert.match(error ?? '', /^\/outputs: 66000 numbers as JSON in front of binary outputs are more than the 65536 allowed/)
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})

test('metrics have the route and the model', async (t) => {
  const { app: { server } } = await startService(t)
  await inferBinary(server, PATH, step)
  await inferBinary(server, PATH, {})
  const { text } = await supertest(server).get('/metrics').expect(200)
  for (const status of [200, 400]) assert.match(text, new RegExp(`^cellserve_request_duration_seconds_count\\{route="/v2/models/:model/infer",model="custom-lstm",status="${status}"\\} 1$`, 'm'))
})

test('JSON gets the same answer whether it is read on the event loop or in a thread, bytes behind it or not', async (t) => {
  const { app: { server } } = await startService(t, '--models', await spellerModels(t))
  const speller = '/v2/models/speller/infer'
  const ids = { shape: [1, 3], values: [0, 4, 2], datatype: 'INT64' }
  const CASES: ReadonlyArray<readonly [object | string, number]> = [
    [jsonInference({ ids }, { id: 'a' }), 200],
    [jsonInference({ ids, h_0: { shape: [3], values: [0.1, 0.2, 0.3] } }, { parameters: { binary_data_output: true } }), 200],
    [jsonInference({ ids: { ...ids, values: [0, 4, 5] } }), 422],
    [jsonInference({ ids: { ...ids, values: [0, null, 5] } }), 400],
    [jsonInference({ ids, h_0: { shape: [2], values: [1, 'a'] } }), 400],
    [jsonInference({ ids, h_0: { shape: [2, 2], values: [[1, 2], [3]] } }), 422],
    [jsonInference({ ids, lengths: ids }, { outputs: [{ name: 'nothing' }] }), 400],
    [{ inputs: [{ name: 'ids', shape: [1, 3], datatype: 'INT64' }] }, 400],
    ['{"inputs":[]}}', 400]
  ]
  for (const [request, status] of CASES) {
    const text = typeof request === 'string' ? request : JSON.stringify(request)
    const [small, large] = await Promise.all([LARGE - 1, LARGE].map(async (length) => {
      const { headers: _, ...answer } = await inferJson(server, speller, text.padEnd(length))
      return answer
    }))
    assert.equal(small.status, status, small.error)
    assert.deepEqual(large, small)
  }
  const { body, length } = binaryInference({ ids: i64([1, 3], [0, 4, 2]), h_0: f32([3], [0.1, 0.2, 0.3]) })
  const [, { headers: _, ...expected }, ...others] = await Promise.all([length, LARGE - 1, LARGE, LARGE + 3].map(async (to) => {
    const padded = Buffer.concat([body.subarray(0, length), Buffer.alloc(to - length, ' '), body.subarray(length)])
    return await infer(server, speller, padded, { 'inference-header-content-length': String(to) })
  }))
  assert.equal(expected.status, 200)
  for (const { headers: _, ...other } of others) assert.deepEqual(other, expected)
  assert.match((await infer(server, speller, Buffer.alloc(LARGE), { 'inference-header-content-length': String(LARGE + 1) })).error ?? '', /says that 262145 bytes of the body are JSON, and it has 262144$/)
  assert.equal((await inferJson(server, '/v2/models/other/infer', '{}'.padEnd(LARGE))).status, 404)
})

test('a part of a sequence with a large body is safe to send again', async () => {
  const part = (values: readonly number[]): string => JSON.stringify(jsonInference({ x: { shape: [1, 2], values } }, { parameters: { sequence_id: 77, sequence_start: true, t: 0 } })).padEnd(LARGE)
  const first = await inferJson(server, PATH, part([1, 2]))
  assert.equal(first.status, 200, first.error)
  const again = JSON.stringify(jsonInference({ x: { shape: [1, 2], values: [3, 4] } }, { parameters: { sequence_id: 77, t: 1 } })).padEnd(LARGE)
  const second = await inferJson(server, PATH, again)
  assert.equal(second.status, 200, second.error)
  assert.deepEqual((await inferJson(server, PATH, again)).outputs, second.outputs)
  assert.equal((await inferJson(server, PATH, `${again} `)).status, 409)
})

/** As many as a body may have; fewer are enough to see that it is read elsewhere. */
const MIB = scaled(16, 8)

for (const [what, end, status] of [['valid', ']', 200], ['malformed at its end', ',]', 400]] as const) {
  test(`the event loop is free while JSON of ${MIB} MiB is read that is ${what}`, async (t) => {
    const width = 4096
    const { app } = await startService(t, '--models', await writeModels(t, { 'wide.safetensors': writeSafetensors(customLstm(width, 2, 2)) }))
    const connection = createConnection(Number(new URL(app.listeningOrigin).port))
    t.after(() => connection.close())
    const T = MIB * 127
    const head = `{"inputs":[{"name":"x","shape":[1,${T},${width}],"datatype":"FP32","data":[${'0,'.repeat(T * width - 1)}0${end}}],"parameters":{"return_sequences":false}}`
    const request = postBytes('/v2/models/wide/infer', 'application/json', Buffer.from(head))
    await assertFree(t, async () => {
      const answer = await connection.send(request, false)
      assert.equal(answer.status, status, answer.body.toString())
    })
  })
}
