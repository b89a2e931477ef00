import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp } from '../support/app.ts'
import { writeModels } from '../support/models.ts'
import { customLstm, writeSafetensors } from '../support/safetensors.ts'

interface Bad {
  readonly name: string
  readonly url?: string
  readonly type?: string
  readonly body: string
  readonly status: number
  readonly detail: RegExp
}

const deep = (depth: number): string => '['.repeat(depth) + '1' + ']'.repeat(depth)

const BAD: readonly Bad[] = [
  { name: 'a body that is not JSON', body: '{"x": [1, }', status: 400, detail: /the body is not JSON: expected a value at byte 10, got "\}"/ },
  { name: 'a truncated body', body: '{"x": [1', status: 400, detail: /the body is not JSON/ },
  { name: 'no body', body: '', status: 400, detail: /the body is empty/ },
  { name: 'NaN', body: '{"x": [NaN, 1]}', status: 400, detail: /the body is not JSON/ },
  { name: 'null', body: 'null', status: 400, detail: /must be object, got null/ },
  { name: 'a list', body: '[]', status: 400, detail: /must be object, got an array/ },
  { name: 'a form', type: 'application/x-www-form-urlencoded', body: 'x=1', status: 415, detail: /expected application\/json or application\/vnd.safetensors, got application\/x-www-form-urlencoded/ },
  { name: 'text', type: 'text/plain', body: '{"x": [1, 2]}', status: 415, detail: /got text\/plain/ },
  { name: 'a broken content type', type: 'json', body: '{"x": [1, 2]}', status: 415, detail: /got json/ },
  { name: '30 MB', body: JSON.stringify({ x: '1'.repeat(30_000_000) }), status: 413, detail: /larger than the 16777216 bytes allowed/ },
  { name: 'a key that reaches for the prototype', body: '{"x": [1, 2], "__proto__": {"h_in": 1}}', status: 400, detail: /\/__proto__: is not a known field/ },
  { name: 'a prototype key, escaped and deep inside', url: '/sequence', body: '{"x": [[1, 2]], "context": [{"__pr\\u006fto__": {"x": 1}}]}', status: 400, detail: /the body has a field named __proto__ or constructor/ },
  { name: 'a key that reaches for the constructor', body: '{"x": [1, 2], "constructor": {"prototype": 1}}', status: 400, detail: /\/constructor: is not a known field/ },
  { name: 'nesting 60 deep', body: `{"x": ${deep(60)}}`, status: 400, detail: /\/x: .*nested more than 3 deep/ },
  { name: 'nesting 100,000 deep', url: '/sequence', body: `{"context": ${deep(100_000)}}`, status: 400, detail: /nested more than 64 deep/ },
  { name: 'objects 100,000 deep', body: `{"x": ${'{"x": '.repeat(100_000)}1${'}'.repeat(100_000)}}`, status: 400, detail: /nested more than 64 deep/ },
  { name: 'more rows than a function takes arguments', body: JSON.stringify({ x: new Array(200_000).fill([[1, 2]]) }), status: 422, detail: /\/x: 200000 rows are more than/ },
  { name: 'a long row before short ones', body: JSON.stringify({ x: [new Array(50_000).fill(1), ...new Array(50_000).fill([1])] }), status: 422, detail: /\/x\/1: ragged: has 1 numbers, but the first has 50000/ },
  { name: 'a long sequence before short ones', url: '/sequence', body: JSON.stringify({ x: [new Array(50_000).fill([1, 2]), ...new Array(50_000).fill([[1, 2]])] }), status: 422, detail: /\/x: its shape, \[50001, 50000, 2\] .* more than/ },
  { name: 'an unknown field', body: '{"x": [1, 2], "y": 1}', status: 400, detail: /\/y: is not a known field/ },
  { name: 'null in the place of a context', url: '/sequence', body: '{"x": [[[1, 2]]], "context": null}', status: 400, detail: /\/context: must be object, got null/ },
  { name: 'a null in a tensor', body: '{"x": [1, null]}', status: 400, detail: /\/x\/1: expected a number, got null/ },
  { name: 'a string in a tensor', body: '{"x": [1, "2"]}', status: 400, detail: /\/x\/1: expected a number, got the string "2"/ },
  { name: '1e39', body: '{"x": [1, 1e39]}', status: 422, detail: /\/x\/1: 1e\+39 is not finite as a float32/ },
  { name: 'an unknown model', url: '/models/nobody/step', body: '{"x": [1, 2]}', status: 404, detail: /no model "nobody"; the models are/ },
  { name: 'a model of a long name', url: `/models/${'n'.repeat(250)}/step`, body: '{"x": [1, 2]}', status: 404, detail: /no model/ },
  { name: 'a model named as a key of every object', url: '/models/__proto__/step', body: '{"x": [1, 2]}', status: 404, detail: /no model "__proto__"/ },
  { name: 'a model name of 300 characters', url: `/models/${'n'.repeat(300)}/step`, body: '{"x": [1, 2]}', status: 414, detail: /./ },
  { name: 'a name past all bounds', url: `/models/${'n'.repeat(3000)}/step`, body: '{"x": [1, 2]}', status: 414, detail: /./ },
  { name: 'a URL that does not decode', url: '/models/%zz/step', body: '{"x": [1, 2]}', status: 400, detail: /%zz/ },
  { name: 'a path that is not there', url: '/stepp', body: '{"x": [1, 2]}', status: 404, detail: /there is no \/stepp; GET \/docs lists all paths/ }
]

test('whatever is wrong is a problem that says what, and the next good request is served', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  for (const { name, url = '/step', type = 'application/json', body, status, detail } of BAD) {
    await t.test(name, async () => {
      const answer = await request.post(url).set('content-type', type).send(body)
      assert.equal(answer.status, status, answer.text)
      assert.match(answer.headers['content-type'], /^application\/problem\+json/)
      assert.equal(answer.body.status, status)
      assert.equal(answer.body.type, 'about:blank')
      assert.ok(answer.body.title.length > 0)
      for (const { path, message } of answer.body.errors ?? []) assert.ok(answer.body.detail.includes(`${path}: ${message}`))
      assert.match(answer.body.detail, detail)
      await request.post('/step').send({ x: [1, 2] }).expect(200)
    })
  }
})

test('a body that is refused costs no connection', async (t) => {
  const app = await buildTestApp(t)
  for (const [type, body] of [['application/json', '{"x": [['], ['application/vnd.safetensors', 'nothing'], ['application/json', '{"x": 7}']]) {
    const { statusCode, headers } = await app.inject({ method: 'POST', url: '/step', headers: { 'content-type': type }, body })
    assert.deepEqual([statusCode, headers.connection], [400, undefined])
  }
})

test('another method is a 405 that says which there are', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body, headers } = await request.get('/step').expect(405).expect('content-type', /^application\/problem\+json/)
  assert.equal(headers.allow, 'POST')
  assert.equal(body.detail, '/step accepts POST, not GET')
  await request.delete('/models').expect(405).expect('allow', 'GET, HEAD')
  await request.get('/models/custom-lstm/step?x=1').expect(405).expect('allow', 'POST')
  await request.put('/models/custom-lstm').send({}).expect(405).expect('allow', 'GET, HEAD')
  await request.put('/models').type('text/plain').send('x').expect(405)
})

test('a feedback module that fails is a 500 that names it, and batch-mates are served', async (t) => {
  const models = await writeModels(t, {
    'm/model.safetensors': writeSafetensors(customLstm(1, 2, 1)),
    'm/config.json': '{"feedback": {"policy": "module"}}',
    'm/feedback.mjs': `
      export const context = { type: 'object', properties: { fail: { type: 'boolean' } } }
      export function feedback ({ h, context, t }) { if (context.fail && t === 2) throw new Error('secret'); return [h[0], 1] }`
  })
  const request = supertest((await buildTestApp(t, '--models', models)).server)
  const send = (fail: boolean) => request.post('/sequence').send({ x: [[[1], [2], [3]]], context: { fail } })
  const [good, bad, other] = await Promise.all([send(false), send(true), send(false)])
  assert.equal(bad.status, 500)
  assert.match(bad.body.detail, /model m: the model's feedback\.mjs threw an error, for step 2/)
  assert.doesNotMatch(bad.text, /secret/)
  assert.equal(good.status, 200)
  assert.deepEqual(other.body, good.body)
})

function portOf (app: Awaited<ReturnType<typeof buildTestApp>>): number {
  const address = app.server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}

async function raw (port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => { answer += String(chunk) })
  socket.on('error', () => {})
  socket.write(text)
  await once(socket, 'close')
  return answer
}

test('what is not HTTP is answered with a problem as well', async (t) => {
  const app = await buildTestApp(t)
  const port = portOf(app)
  const garbage = await raw(port, 'nonsense\r\n\r\n')
  assert.match(garbage, /^HTTP\/1\.1 400 Bad Request\r\n.*content-type: application\/problem\+json/s)
  const large = await raw(port, `GET /models HTTP/1.1\r\nhost: x\r\nx-large: ${'y'.repeat(20_000)}\r\n\r\n`)
  assert.match(large, /^HTTP\/1\.1 431 .*\r\ncontent-type: application\/problem\+json/s)
  assert.equal(JSON.parse(large.slice(large.indexOf('\r\n\r\n'))).status, 431)
  await supertest(app.server).post('/step').send({ x: [1, 2] }).expect(200)
})

test('a body without a content type, and one that ends too soon or in the wrong way, are problems', async (t) => {
  const app = await buildTestApp(t)
  const port = portOf(app)
  const json = 'POST /step HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n'
  for (const [text, status, detail] of [
    ['POST /step HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 12\r\n\r\n{"x": [1,2]}', 415, /got no content type/],
    ['POST /step HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 400, /must be object/],
    [`${json}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400, /the body is empty/],
    [`${json}transfer-encoding: chunked\r\n\r\nzz\r\n`, 400, /not valid HTTP/],
    [`${json}content-length: -1\r\n\r\n`, 400, /not valid HTTP/],
    // Read by some as one request, by others as two.
    [`${json}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400, /not valid HTTP/],
    [`${json}content-length: 20000000\r\n\r\n`, 413, /larger than the 16777216 bytes/],
    [`${json}transfer-encoding: chunked\r\n\r\n1000001\r\n${' '.repeat(2 ** 24 + 1)}`, 413, /larger than the 16777216 bytes/],
    [`${json}content-encoding: gzip\r\ncontent-length: 12\r\n\r\n{"x": [1,2]}`, 415, /expected a body without a content-encoding, got "gzip"/],
    [`${json}transfer-encoding: gzip, chunked\r\n\r\nc\r\n{"x": [1,2]}\r\n0\r\n\r\n`, 501, /expected chunked or nothing in the header transfer-encoding, got "gzip, chunked"/]
  ] as const) {
    const [head, body] = (await raw(port, text)).split('\r\n\r\n')
    assert.match(head, new RegExp(`^HTTP/1.1 ${status} `), text)
    assert.match(head, /content-type: application\/problem\+json/)
    const problem: { type: string, title: string, status: number, detail: string } = JSON.parse(body)
    assert.deepEqual([problem.type, problem.status], ['about:blank', status])
    assert.match(problem.detail, detail)
  }
  await supertest(app.server).post('/step').send({ x: [1, 2] }).expect(200)
})

test('a client that leaves in the middle of its body harms nobody', async (t) => {
  const app = await buildTestApp(t)
  const port = portOf(app)
  for (let i = 0; i < 20; i++) {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('POST /step HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"x": [1')
    socket.destroy()
  }
  await supertest(app.server).post('/step').send({ x: [1, 2] }).expect(200)
})
