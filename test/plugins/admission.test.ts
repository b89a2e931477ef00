import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { test } from 'node:test'
import supertest from 'supertest'
import { startService } from '../support/app.ts'
import { until } from '../support/until.ts'

/** A request to the demo attention model, whose time grows with the supports. */
const attending = (supports: number, steps: number): object =>
  ({ x: Array.from({ length: 100 }, () => [1, 0, 0, 1]), steps, return_sequences: false, context: { support: Array.from({ length: supports }, () => [1, 0, 0, 0]) } })
/** Takes seconds. */
const LONG = attending(20_000, 600)
const URL = '/models/matching-networks/sequence'

async function stepsComputed (metrics: { register: { metrics (): Promise<string> } }): Promise<number> {
  return Number(/^cellserve_steps_total\{model="matching-networks"\} (\d+)$/m.exec(await metrics.register.metrics())?.[1] ?? 0)
}

test('a client that disconnects takes its rows with it, and the computing stops', async (t) => {
  const { app, admission, metrics } = await startService(t)
  const address = app.server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const client = httpRequest({ port: address.port, path: URL, method: 'POST', headers: { 'content-type': 'application/json' } })
  client.on('error', () => {})
  client.end(JSON.stringify(LONG))
  await until(async () => await stepsComputed(metrics) > 0, 'its first steps')
  client.destroy()
  await until(() => admission.rows === 0, 'its rows leave')
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
  const computed = await stepsComputed(metrics)
  assert.ok(computed < 60_000, `all ${computed} steps were computed`)
  await setTimeout(50)
  assert.equal(await stepsComputed(metrics), computed)
  await supertest(app.server).post('/step').send({ x: [1, 2] }).expect(200)
})

test('a client that disconnects takes the requests with it that waited for the answer to the one before', async (t) => {
  const { app, admission } = await startService(t)
  const socket = connect(Number(new globalThis.URL(app.listeningOrigin).port), '127.0.0.1')
  const body = JSON.stringify(LONG)
  const request = `POST ${URL} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  socket.write(request + request)
  await until(() => admission.rows === 200, 'both are accepted')
  socket.destroy()
  await until(() => admission.rows === 0, 'its rows leave')
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})

test('a body counts before it is read, and one without a length as it arrives', async (t) => {
  const { app, admission } = await startService(t, '--max-bytes', '1000000')
  const port = Number(new globalThis.URL(app.listeningOrigin).port)
  const open = (head: string, body = ''): Socket => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write(`POST /step HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${head}\r\n\r\n${body}`)
    return socket
  }
  const held = async (bytes: number): Promise<void> => await until(() => admission.bytes === bytes, `${bytes} bytes are held`)
  const uploads = [open('content-length: 200000'), open('content-length: 200000', ' '.repeat(100_000))]
  await held(400_000)
  // Those who are slow to send keep out others like them, and no small request.
  const refused = await supertest(app.server).post('/step').set('content-type', 'application/json').send(`${' '.repeat(200_000)}{"x":[1,2]}`)
  assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '1'])
  await supertest(app.server).post('/step').send({ x: [1, 2] }).expect(200)

  const chunked = open('transfer-encoding: chunked')
  uploads.push(chunked)
  for (let i = 1; i < 6; i++) {
    chunked.write(`186a0\r\n${' '.repeat(100_000)}\r\n`)
    await held(400_000 + i * 100_000)
  }
  chunked.write(`186a1\r\n${' '.repeat(100_001)}\r\n`)
  const [answer] = await once(chunked, 'data')
  assert.match(String(answer), /^HTTP\/1.1 503 .*connection: close.*overloaded: 0 rows and 9\d{5} bytes are in progress/s)
  for (const socket of uploads) socket.destroy()
  await held(0)
})

test('a request whose head is refused holds nothing', async (t) => {
  const { app, admission } = await startService(t)
  await supertest(app.server).post('/step').set('x-request-timeout', 'soon').send({ x: [1, 2] }).expect(400)
  assert.equal(admission.bytes, 0)
})

test('a body that no route takes is not read', async (t) => {
  const { app, admission } = await startService(t)
  const { hostname, port } = new globalThis.URL(app.listeningOrigin)
  const socket = connect(Number(port), hostname)
  socket.write('POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n')
  const [answer] = await once(socket, 'data')
  assert.match(String(answer), /^HTTP\/1.1 404 /)
  assert.equal(admission.bytes, 0)
  socket.destroy()
})

test('a request\'s own time is a header, and past it the answer is a 504', async (t) => {
  const { app, admission } = await startService(t)
  const request = supertest(app.server)
  const { body } = await request.post(URL).set('x-request-timeout', '0.01').send(LONG).expect(504).expect('content-type', /^application\/problem\+json/)
  assert.match(body.detail, /model matching-networks: the answer was not ready in the time allowed/)
  assert.equal(admission.rows, 0)
  await request.post('/step').set('x-request-timeout', 'soon').send({ x: [1, 2] }).expect(400)
})

test('the server\'s time bounds the request\'s', async (t) => {
  const { app } = await startService(t, '--request-timeout', '0.01')
  await supertest(app.server).post(URL).set('x-request-timeout', '100').send(LONG).expect(504)
})

test('where there is no room the answer is a 503 with Retry-After, and what was accepted is answered', async (t) => {
  const { app, admission } = await startService(t, '--max-rows', '100')
  const request = supertest(app.server)
  const accepted = request.post(URL).send(attending(400, 100)).then((answer) => answer)
  await until(() => admission.rows > 0, 'it is accepted')
  const { headers, body } = await request.post('/step').send({ x: [1, 2] }).expect(503)
  assert.equal(headers['retry-after'], '1')
  assert.match(body.detail, /overloaded: 100 rows and \d+ bytes are in progress/)
  await request.get('/health/live').expect(200)
  assert.equal((await accepted).status, 200)
  await request.post('/step').send({ x: [1, 2] }).expect(200)
})
