import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp, startService } from '../../support/app.ts'
import { FULL, onlyFull } from '../../support/full.ts'
import { sendRaw } from '../../support/http.ts'
import { logged } from '../../support/logged.ts'
import { floats, openSocket, refusedSocket } from '../../support/sockets.ts'
import { until } from '../../support/until.ts'

const STREAM = '/models/custom-lstm/stream'
const X = [0.5, -0.25]

test('a key may come as a subprotocol, and is never echoed', async (t) => {
  // Neither is a token of HTTP, which subprotocols must be.
  const key = 'correct/horse=battery'
  const app = await buildTestApp(t, '--api-key', key)
  const bearer = `bearer.${Buffer.from(key).toString('base64url')}`
  for (const protocols of [['cellserve', bearer], [bearer, 'cellserve']]) {
    const client = await openSocket(t, app, STREAM, { protocols })
    assert.equal(client.socket.protocol, 'cellserve')
    assert.equal((await client.ask({ x: X })).t, 1)
  }
  assert.equal((await refusedSocket(app, STREAM, { protocols: ['cellserve', 'bearer.AAAA'] })).status, 401)
  assert.equal((await refusedSocket(app, STREAM, { protocols: ['cellserve'] })).status, 401)
  const { status, body } = await refusedSocket(app, STREAM, { protocols: [bearer] })
  assert.equal(status, 400)
  assert.match(String(body.detail), /expected cellserve among the subprotocols/)
  assert.ok(!JSON.stringify(body).includes(bearer))
  const header = await openSocket(t, app, STREAM, { headers: { authorization: `Bearer ${key}` } })
  assert.equal(header.socket.protocol, '')
})

test('pages of other origins may open one if --cors-origin names them', async (t) => {
  const app = await buildTestApp(t, '--cors-origin', 'https://app.example.org')
  for (const origin of [undefined, 'https://app.example.org', app.listeningOrigin]) {
    const client = await openSocket(t, app, STREAM, { ...(origin !== undefined && { origin }) })
    assert.equal((await client.ask({ x: X })).t, 1)
  }
  for (const origin of ['https://evil.example.org', 'null', 'http://app.example.org', `${app.listeningOrigin}0`]) {
    const { status, body } = await refusedSocket(app, STREAM, { origin })
    assert.equal(status, 403)
    assert.match(String(body.detail), /may not open a WebSocket here/)
  }
  const all = await buildTestApp(t, '--cors-origin', '*')
  await openSocket(t, all, STREAM, { origin: 'https://evil.example.org' })
})

test('past --max-sockets one is refused, until another has closed', async (t) => {
  const { app, admission } = await startService(t, '--max-sockets', '2')
  const [first] = [await openSocket(t, app, STREAM), await openSocket(t, app, STREAM)]
  const { status, body } = await refusedSocket(app, STREAM)
  assert.deepEqual([status, body.detail], [503, 'no room for another WebSocket: 2 of 2 are open'])
  assert.ok(admission.bytes > 2 * 2 ** 14, 'they are counted')
  first.socket.close()
  await first.closed
  await openSocket(t, app, STREAM)
})

test('without room a frame is refused, and the connection goes on', onlyFull('takes seconds'), async (t) => {
  const { app, admission } = await startService(t, '--max-bytes', '200000')
  const client = await openSocket(t, app, STREAM)
  const other = admission.reserve(1)
  other.hold(200_000 - admission.bytes - 100)
  const refused = await client.ask({ x: X })
  assert.equal(refused.status, 503)
  assert.match(String(refused.detail), /overloaded/)
  other.release()
  assert.equal((await client.ask({ x: X })).t, 1)
  // A frame is counted as it arrives.
  const large = await openSocket(t, app, STREAM)
  large.socket.send(new Uint8Array(150_000), { fin: false })
  await until(() => admission.bytes > 150_000, 'what has arrived is counted')
  large.socket.send(new Uint8Array(150_000), { fin: false })
  assert.deepEqual(await large.closed, { code: 1013, reason: 'overloaded; try again shortly' })
  client.socket.close()
  await until(() => admission.bytes === 0, 'all is given back')
})

test('a frame that is too large, malformed or no JSON closes the connection, and says why', async (t) => {
  const { app, admission } = await startService(t, '--body-limit', '4096')
  const large = await openSocket(t, app, STREAM)
  large.send(new Uint8Array(5000))
  assert.equal((await large.closed).code, 1009)

  const fragmented = await openSocket(t, app, STREAM)
  for (let i = 0; i < 5; i++) fragmented.socket.send(new Uint8Array(1000), { fin: false })
  assert.equal((await fragmented.closed).code, 1009)

  for (const text of ['{"x": [0.5, -0.25]', 'five', '5', '[{}]', '']) {
    const client = await openSocket(t, app, STREAM)
    assert.equal((await client.ask(text)).status, 400, text)
    assert.deepEqual(await client.closed, { code: 1007, reason: 'the frame is not a JSON object' })
  }

  const latin = await openSocket(t, app, STREAM)
  latin.socket.send(Uint8Array.of(0x7b, 0xff, 0x7d), { binary: false })
  assert.equal((await latin.closed).code, 1007)

  const pieces = await openSocket(t, app, STREAM)
  for (let i = 0; i < 2000; i++) pieces.socket.send(Uint8Array.of(0), { fin: false })
  assert.equal((await pieces.closed).code, 1008)
  await until(() => admission.bytes === 0, 'all is given back')
})

test('a text that comes in fragments is one frame', async (t) => {
  const app = await buildTestApp(t)
  const client = await openSocket(t, app, STREAM)
  const text = JSON.stringify({ x: X })
  for (const [i, character] of [...text].entries()) client.socket.send(character, { fin: i === text.length - 1 })
  assert.equal((await client.next()).t, 1)
})

test('bytes that violate the protocol close the connection', async (t) => {
  const app = await buildTestApp(t)
  // Not masked; a reserved bit; an unknown opcode; a control frame in fragments.
  for (const bytes of [[0x82, 0x00], [0xc2, 0x80, 0, 0, 0, 0], [0x83, 0x80, 0, 0, 0, 0], [0x09, 0x80, 0, 0, 0, 0]]) {
    const socket = connect(Number(new URL(app.listeningOrigin).port), '127.0.0.1')
    t.after(() => socket.destroy())
    socket.write(`GET ${STREAM} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${'A'.repeat(22)}==\r\n\r\n`)
    const [head] = await once(socket, 'data')
    assert.match(String(head), /^HTTP\/1.1 101 /)
    socket.write(Uint8Array.from(bytes))
    const [close] = await once(socket, 'data')
    assert.deepEqual([...close.subarray(0, 4)], [0x88, 0x02, 0x03, 0xea], 'a close with 1002')
    socket.end()
  }
  await supertest(app.server).post('/step').send({ x: X }).expect(200)
})

test('a handshake that is wrong is a problem', async (t) => {
  const app = await buildTestApp(t)
  const port = Number(new URL(app.listeningOrigin).port)
  const good = { host: 'localhost', connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': `${'A'.repeat(22)}==` }
  for (const [over, status, detail] of [
    [{ 'sec-websocket-version': '12' }, 400, /to be 13, got "12"/],
    [{ 'sec-websocket-key': 'short' }, 400, /expected 16 bytes as base64/],
    [{ upgrade: 'h2c' }, 426, /expected a WebSocket/],
    [{ connection: 'keep-alive' }, 426, /expected a WebSocket/]
  ] as const) {
    const head = Object.entries({ ...good, ...over }).map(([name, value]) => `${name}: ${value}\r\n`).join('')
    const [answer] = await sendRaw(port, Buffer.from(`GET ${STREAM} HTTP/1.1\r\n${head}\r\n`))
    assert.equal(answer.status, status)
    assert.match(JSON.parse(answer.body.toString()).detail, detail)
  }
})

test('other requests that offer an upgrade are answered as if they did not', async (t) => {
  const app = await buildTestApp(t)
  const port = Number(new URL(app.listeningOrigin).port)
  const { body: expected } = await supertest(app.server).post('/step').send({ x: X })
  const body = JSON.stringify({ x: X })
  // Java's client offers HTTP/2 in this way with its first request.
  const offer = 'host: localhost\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n'
  const post = `POST /step HTTP/1.1\r\n${offer}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const warnings: Error[] = []
  const warn = (warning: Error): void => { warnings.push(warning) }
  process.on('warning', warn)
  t.after(() => process.off('warning', warn))
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  let text = ''
  socket.on('data', (chunk) => { text += String(chunk) })
  const count = 20
  const requests = Array.from({ length: count }, () => [post, `GET /health/live HTTP/1.1\r\n${offer}\r\n`]).flat()
  // A Node.js that asks whether to upgrade does not read what comes together with such a request, whoever listens.
  const together = 'shouldUpgradeCallback' in createServer() ? 1 : requests.length
  for (let sent = 0; sent < requests.length; sent += together) {
    socket.write(requests.slice(sent, sent + together).join(''))
    await until(() => text.split('HTTP/1.1 200').length > sent + together, 'all are answered')
  }
  assert.equal(text.split(JSON.stringify(expected)).length - 1, count)
  assert.deepEqual(warnings, [])
  for (const path of ['/health/live', '/nowhere']) {
    const { status } = await refusedSocket(app, path)
    assert.equal(status, path === '/nowhere' ? 404 : 200)
  }
})

test('a peer that does not answer is cut, one that idles is closed', async (t) => {
  const app = await buildTestApp(t, '--ping-interval', '0.1')
  const alive = await openSocket(t, app, STREAM)
  const silent = await openSocket(t, app, STREAM, { autoPong: false })
  assert.equal((await silent.closed).code, 1006)
  await setTimeout(300)
  assert.equal((await alive.ask({ x: X })).t, 1)

  const idling = await buildTestApp(t, '--session-timeout', '0.3', '--ping-interval', '0.1')
  const client = await openSocket(t, idling, STREAM)
  assert.deepEqual(await client.closed, { code: 1001, reason: 'no frame in 0.3 seconds' })
})

test('a peer that never reads is not read from any more, and is cut', onlyFull('takes seconds'), async (t) => {
  const { app, admission } = await startService(t, '--request-timeout', '0.5')
  const client = await openSocket(t, app, STREAM)
  client.socket.pause()
  const step = floats(...Array.from({ length: 2000 }, () => 0.1))
  // More than the kernel takes for a reader that does not read.
  for (let i = 0; i < 4000; i++) client.send(step)
  await until(() => client.socket.bufferedAmount > 0, 'the service reads no more')
  await setTimeout(200)
  assert.ok(admission.bytes < 2 ** 20, `${admission.bytes} bytes are held for it`)
  await supertest(app.server).post('/step').send({ x: X }).expect(200)
  // Some seconds past its deadline.
  if (!FULL) client.socket.terminate()
  await until(() => admission.bytes === 0, 'it is cut')
})

test('while it drains, sockets are closed once their frames in work are answered', async (t) => {
  const { app, admission } = await startService(t)
  const idle = await openSocket(t, app, STREAM)
  const busy = await openSocket(t, app, STREAM)
  busy.send({ x: X, steps: 60_000, return_sequences: false })
  await until(() => admission.rows === 1, 'it is in work')
  const drained = app.drain(1)
  const restart = { code: 1012, reason: 'the server is shutting down; another replica may answer' }
  assert.deepEqual(await idle.closed, restart)
  assert.equal((await busy.next()).t, 60_000)
  assert.deepEqual(await busy.closed, restart)
  await drained
  await until(() => admission.bytes === 0, 'all is given back')
})

test('frames are in the metrics, and a line in the access log tells of a socket that has closed', async (t) => {
  const { request, app, lines } = await logged(t, 'info', '--access-log')
  const client = await openSocket(t, app, STREAM)
  await client.ask({ x: X })
  await client.ask({ x: [1] })
  await client.askNumbers(floats(...X))
  const { text } = await request.get('/metrics').expect(200)
  for (const line of [
    'cellserve_open_sockets 1',
    'cellserve_request_duration_seconds_count{route="/models/:model/stream",model="custom-lstm",status="200"} 2',
    'cellserve_request_duration_seconds_count{route="/models/:model/stream",model="custom-lstm",status="422"} 1'
  ]) assert.ok(text.includes(`${line}\n`), line)
  client.socket.close(1000)
  await until(() => lines().some(({ msg }) => msg === 'socket closed'), 'the line')
  const { client: ip, path, model, code, frames, received } = lines().find(({ msg }) => msg === 'socket closed') ?? {}
  assert.deepEqual({ ip, path, model, code, frames, received }, { ip: '127.0.0.1', path: STREAM, model: 'custom-lstm', code: 1000, frames: 3, received: 17 + 9 + 8 })
  assert.ok((await request.get('/metrics')).text.includes('cellserve_open_sockets 0\n'))
})
