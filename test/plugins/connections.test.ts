import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { readFile } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import supertest from 'supertest'
import connections from '../../src/plugins/connections.ts'
import errors from '../../src/plugins/errors.ts'
import { buildTestApp, startService } from '../support/app.ts'
import { onlyFull, scaled } from '../support/full.ts'
import { ADDRESS, start } from '../support/process.ts'
import { until } from '../support/until.ts'

/** A connection, and what has arrived on it so far. */
function open (origin: string): { socket: Socket, text: () => string, closed: Promise<unknown> } {
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (chunk) => { text += String(chunk) })
  socket.on('error', () => {})
  return { socket, text: () => text, closed: once(socket, 'close') }
}

async function answerTo (origin: string, request: string): Promise<string> {
  const { socket, text, closed } = open(origin)
  socket.write(request)
  await closed
  return text()
}

const BODY = '{"x": [1, 2]}'
const POST = `POST /step HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n`

test('what Node.js would refuse in silence is a problem', async (t) => {
  const origin = (await buildTestApp(t)).listeningOrigin
  for (const [request, status, detail] of [
    ['GET /models HTTP/1.1\r\nconnection: close\r\n\r\n', 400, /needs a Host header/],
    [`${POST}expect: the-unexpected\r\nconnection: close\r\n\r\n${BODY}`, 417, /expected the Expect header to be 100-continue .*, got "the-unexpected"/]
  ] as const) {
    const [head, body] = (await answerTo(origin, request)).split('\r\n\r\n')
    assert.match(head, new RegExp(`^HTTP/1.1 ${status} .*content-type: application/problem\\+json`, 's'))
    assert.match(JSON.parse(body).detail, detail)
  }
  assert.match(await answerTo(origin, `${POST}expect: 100-continue\r\nconnection: close\r\n\r\n${BODY}`), /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/)
  assert.match(await answerTo(origin, 'GET /health/live HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 200 OK/)
})

test('every answer has an id, and headers for browsers, and is in the metrics, whoever refuses', async (t) => {
  const app = await buildTestApp(t, '--max-header-bytes', '2048', '--cors-origin', 'https://a.example')
  for (const [request, status] of [
    ['GET /models HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
    ['GET /models HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n', 400],
    [`${POST}expect: the-unexpected\r\n\r\n${BODY}`, 417],
    ['POST /models/%zz/step HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n', 400],
    [`GET /models/${'n'.repeat(256)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`, 414],
    ['GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 404],
    ['nonsense\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nhost: x\r\nx-large: ${'y'.repeat(2100)}\r\n\r\n`, 431]
  ] as const) {
    const [head, body] = (await answerTo(app.listeningOrigin, request)).split('\r\n\r\n')
    assert.match(head, new RegExp(`^HTTP/1.1 ${status} `), request)
    for (const header of [/\r\nx-request-id: [\da-f-]{36}/, /\r\nx-content-type-options: nosniff/, /\r\ncontent-security-policy: default-src 'none'/]) assert.match(head, header, request)
    assert.equal(JSON.parse(body).status, status)
  }
  const metrics = (await supertest(app.server).get('/metrics').expect(200)).text
  for (const [status, count] of [[400, 4], [417, 1], [414, 1], [404, 1], [431, 1]]) {
    const counts = [...metrics.matchAll(new RegExp(`cellserve_request_duration_seconds_count{[^}]*status="${status}"} (\\d+)`, 'g'))]
    assert.equal(counts.reduce((sum, [, n]) => sum + Number(n), 0), count, `of ${status}`)
  }
  assert.doesNotMatch(metrics, /model="none"/)
})

test('a path is judged by its decoded parts, and its query not at all', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  await request.get(`/models/${encodeURIComponent('\u00e9'.repeat(255))}`).expect(404)
  await request.get(`/models/${encodeURIComponent('\u00e9'.repeat(256))}`).expect(414)
  await request.get(`/models?x=%zz${'y'.repeat(300)}`).expect(200)
})

test('what is no HTTP waits for the answers to all requests before it', async (t) => {
  const { app, admission } = await startService(t)
  const body = JSON.stringify({ x: Array.from({ length: 20 }, () => [1, 0, 0, 1]), steps: 600, return_sequences: false, context: { support: Array.from({ length: 200 }, () => [1, 0, 0, 0]) } })
  const heavy = `POST /models/matching-networks/sequence HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const answers = (await answerTo(app.listeningOrigin, `${heavy}POST /step HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`)).split('HTTP/1.1 ').slice(1)
  assert.match(answers[0], /^200 OK.*"h_out":\[/s)
  assert.match(answers[1], /^400 Bad Request.*the request is not valid HTTP/s)
  assert.equal(answers.length, 2)
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})

test('nonsense after a good request takes nothing from its answer', async (t) => {
  const origin = (await buildTestApp(t)).listeningOrigin
  const answers = (await answerTo(origin, `${POST}\r\n${BODY}nonsense\r\n\r\n`)).split('HTTP/1.1 ').slice(1)
  assert.equal(answers.length, 2)
  assert.match(answers[0], /^200 OK.*"h_out":\[/s)
  assert.match(answers[1], /^400 Bad Request.*the request is not valid HTTP/s)
})

test('those who send a header or a body drop by drop are let go, and others are served', onlyFull('takes seconds'), async (t) => {
  const app = await buildTestApp(t, '--header-timeout', '1', '--body-timeout', '2')
  const start = performance.now()
  const slow = [
    // The text that is sent at once, before one character at a time.
    'POST /step HTTP/1.1\r\nhost: x\r\nx-drip: ',
    'POST /step HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n'
  ].map(async (begin) => {
    const { socket, text, closed } = open(app.listeningOrigin)
    socket.write(begin)
    const timer = setInterval(() => { socket.write(' ') }, 50)
    await closed
    clearInterval(timer)
    return text()
  })
  await setTimeout(200)
  await supertest(app.server).post('/step').send({ x: [1, 2] }).expect(200)
  for (const answer of await Promise.all(slow)) assert.match(answer, /^HTTP\/1.1 408 Request Timeout\r\n.*content-type: application\/problem\+json/s)
  assert.ok(performance.now() - start < 15_000)
})

/** A bare app whose answers wait until they are released, and how many requests have begun. */
async function heldApp (t: TestContext) {
  const app = Fastify()
  const held: Array<() => void> = []
  t.after(async () => {
    app.server.closeAllConnections()
    await app.close()
  })
  await app.register(errors)
  await app.register(connections, { maxConnections: 64, readTimeout: 60, onRefused: () => {} })
  app.route<{ Querystring: { n?: string } }>({
    url: '/',
    method: ['GET', 'POST'],
    handler: async ({ query: { n } }) => {
      await new Promise<void>((resolve) => { held.push(resolve) })
      return `[${n}]`
    }
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, held }
}

test('of requests that a connection sends at once a GET is answered after the one before, and of others sixteen at a time', async (t) => {
  for (const [method, together] of [['GET', 1], ['POST', 16]] as const) {
    const { app, held } = await heldApp(t)
    const { socket, text } = open(app.listeningOrigin)
    socket.write(Array.from({ length: 40 }, (_, n) => `${method} /?n=${n} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`).join(''))
    for (let n = 0; n < 40; n++) {
      await until(() => held.length === Math.min(n + together, 40), `${n + together} begun`)
      held[n]()
      await until(() => text().includes(`[${n}]`), `answer ${n}`)
    }
    assert.deepEqual([...text().matchAll(/\[(\d+)\]/g)].map(([, n]) => Number(n)), Array.from({ length: 40 }, (_, n) => n))
  }
})

test('thousands of requests that a connection sends at once are answered in their order', async (t) => {
  const { app } = await startService(t)
  const { socket, text } = open(app.listeningOrigin)
  const count = scaled(10_000)
  socket.write(Array.from({ length: count }, (_, n) => `GET /nowhere/${n} HTTP/1.1\r\nhost: x\r\n\r\n`).join(''))
  socket.write('GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  await once(socket, 'close')
  assert.deepEqual([...text().matchAll(/there is no \/nowhere\/(\d+)/g)].map(([, n]) => Number(n)), Array.from({ length: count }, (_, n) => n))
  assert.match(text(), /\{"status":"ok"\}$/)
})

test('those who send thousands and read nothing fill no memory, and others are answered', onlyFull('takes seconds'), async (t) => {
  const server = start(t, process.execPath, ['--max-old-space-size=256', 'dist/main.js', '--port', '0'])
  const origin = await server.line(ADDRESS)
  await server.line(/"msg":"ready"/)
  const sockets = Array.from({ length: 30 }, () => open(origin).socket.pause())
  for (const socket of sockets) socket.write('GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(1600))
  for (let i = 0; i < 20; i++) {
    await setTimeout(100)
    assert.equal((await fetch(`${origin}/health/live`)).status, 200)
  }
  for (const socket of sockets) socket.destroy()
  const peak = Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024
  t.diagnostic(`${peak.toFixed(0)} MiB`)
  assert.ok(peak < 500, `${peak} MiB`)
})

test('a request has one answer, even if it is answered before its body turns out to be wrong', async (t) => {
  const origin = (await buildTestApp(t)).listeningOrigin
  const chunked = 'host: x\r\ntransfer-encoding: chunked\r\n\r\n'
  for (const [head, status] of [['POST /nowhere', 404], ['GET /models', 200]] as const) {
    const { socket, text, closed } = open(origin)
    socket.write(`${head} HTTP/1.1\r\n${chunked}`)
    await until(() => text().includes('\r\n\r\n'), 'an answer')
    socket.write('zz\r\n')
    await closed
    assert.deepEqual(text().match(/^HTTP\/1.1 \d+/gm), [`HTTP/1.1 ${status}`])
  }
})

test('a client that asks for more than it reads is let go', async (t) => {
  // Long answers, and no deadline of theirs that has to pass first.
  const app = Fastify()
  t.after(() => app.close())
  await app.register(errors)
  await app.register(connections, { maxConnections: 64, readTimeout: 0.5, onRefused: () => {} })
  app.get('/', () => 'x'.repeat(2 ** 16))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const took = await letGo(app)
  assert.ok(took > 500 && took < 10_000, `${took} ms`)
})

test('of the service it is let go some seconds past the deadline', onlyFull('takes seconds'), async (t) => {
  const took = await letGo(await buildTestApp(t, '--request-timeout', '1'), '/openapi.json')
  assert.ok(took > 5000 && took < 12_000, `${took} ms`)
})

/** Asks for more than it reads, and waits until it is let go: how many milliseconds that takes. */
async function letGo (app: Pick<FastifyInstance, 'server' | 'listeningOrigin'>, path = '/'): Promise<number> {
  const { socket, closed } = open(app.listeningOrigin)
  socket.pause()
  await once(socket, 'connect')
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(200))
  const start = performance.now()
  // A socket that nobody reads is not told that the other end has closed.
  const count = async (): Promise<number> => await new Promise((resolve, reject) => app.server.getConnections((error, open) => error === null ? resolve(open) : reject(error)))
  await setTimeout(100)
  assert.equal(await count(), 1)
  for (let i = 0; i < 300 && await count() > 0; i++) await setTimeout(100)
  assert.equal(await count(), 0)
  const took = performance.now() - start
  socket.destroy()
  await closed
  return took
}

test('more connections than the bound are closed, those before them are served', async (t) => {
  const app = await buildTestApp(t, '--max-connections', '2')
  const first = open(app.listeningOrigin)
  const second = open(app.listeningOrigin)
  await Promise.all([once(first.socket, 'connect'), once(second.socket, 'connect')])
  const third = open(app.listeningOrigin)
  await third.closed
  assert.equal(third.text(), '')
  second.socket.write(`${POST}connection: close\r\n\r\n${BODY}`)
  await second.closed
  assert.match(second.text(), /^HTTP\/1.1 200 OK/)
  first.socket.destroy()
})

test('a head may be given more time than Node.js gives it, and no more than the whole', async (t) => {
  const { server: patient } = await buildTestApp(t, '--header-timeout', '900', '--body-timeout', '1800')
  assert.deepEqual([patient.headersTimeout, patient.requestTimeout], [900_000, 1_800_000])
  const { server: hasty } = await buildTestApp(t, '--header-timeout', '10', '--body-timeout', '5')
  assert.deepEqual([hasty.headersTimeout, hasty.requestTimeout], [5000, 5000])
})

test('headers past the bound are a problem', async (t) => {
  const { listeningOrigin } = await buildTestApp(t, '--max-header-bytes', '2048')
  assert.match(await answerTo(listeningOrigin, `GET /models HTTP/1.1\r\nhost: x\r\nx-large: ${'y'.repeat(2100)}\r\n\r\n`), /^HTTP\/1.1 431 /)
})

test('a connection without a request holds up no close, not even with half a head', { timeout: 30_000 }, async (t) => {
  const service = await startService(t)
  const { hostname, port } = new URL(service.app.listeningOrigin)
  const used = open(service.app.listeningOrigin)
  used.socket.write(`${POST}\r\n${BODY.slice(0, 5)}`)
  const silent = connect(Number(port), hostname)
  const half = connect(Number(port), hostname)
  half.write('GET /models HTTP/1.1\r\nho')
  await Promise.all([silent, half].map(async (socket) => await once(socket.on('error', () => {}), 'connect')))
  await supertest(service.app.server).get('/models').expect(200)
  const gone = [silent, half].map(async (socket) => await once(socket, 'close'))
  const closed = service.app.close()
  await Promise.all(gone)
  // The request that has begun is answered.
  used.socket.write(BODY.slice(5))
  await Promise.all([closed, used.closed])
  assert.match(used.text(), /^HTTP\/1.1 200 OK/)
})
