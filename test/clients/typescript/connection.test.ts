import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { Client, ConnectionError, type FrameStep } from '../../../clients/typescript/src/client.ts'
import { buildTestApp } from '../../support/app.ts'
import { faultyProxy } from '../../support/faults.ts'
import { freePort } from '../../support/free-port.ts'
import { onlyFull } from '../../support/full.ts'
import { until } from '../../support/until.ts'

const X = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4]]

test('a connection takes steps as JSON and as floats, several at once', async (t) => {
  const apiKey = 'correct/horse=battery'
  const { listeningOrigin } = await buildTestApp(t, '--api-key', apiKey)
  const model = new Client(listeningOrigin, { apiKey, WebSocket }).model()
  const [output] = (await model.sequence({ x: [X] })).output.nested()
  const connection = await model.connect()
  const [first, second, third] = await Promise.all([connection.step({ x: X[0] }), connection.floats(Float32Array.from(X[1])), connection.sequence({ x: [X[2]] })])
  assert.deepEqual([first.t, first.output.nested()], [1, output[0]])
  assert.deepEqual([...second], output[1])
  assert.deepEqual([third.t, third.output.nested(), connection.t], [3, [output[2]], 3])
  const { t: taken, state } = await connection.step({ x: Float32Array.of(1, 2), state: true })
  assert.equal(taken, 4)
  assert.deepEqual(await connection.begin(), { t: 0 })
  assert.deepEqual((await connection.step({ x: X[0] })).output, first.output)
  assert.ok(state !== undefined)
  await connection.begin({ state })
  const { output: next } = await connection.sequence({ x: { shape: [1, 2], data: Float32Array.of(3, 4) } })
  assert.deepEqual(next.nested()[0], (await model.sequence({ x: [[...X, [1, 2], [3, 4]]] })).output.nested()[0][4])
  connection.close()
  await assert.rejects(connection.step({ x: X[0] }), { name: 'ConnectionError', message: 'the connection is closed' })
})

test('after a step that is refused none of those behind it is taken by mistake', async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  const connection = await new Client(listeningOrigin, { WebSocket }).model().connect()
  const [first, refused, behind] = await Promise.allSettled([connection.step({ x: [1, 2] }), connection.step({ x: [1] }), connection.step({ x: [3, 4] })])
  assert.equal(first.status, 'fulfilled')
  assert.ok(refused.status === 'rejected' && behind.status === 'rejected')
  assert.match(String(refused.reason), /Problem: model custom-lstm: \/x: expected vectors of 2 numbers/)
  assert.match(String(behind.reason), /t = 1, and the request is for t = 2/)
  assert.equal((await connection.step({ x: [3, 4] })).t, 2)
  await assert.rejects(connection.floats(Float32Array.of(1)), /a multiple of 8 bytes/)
  connection.close()
})

test('a session\'s connection that is lost is opened again, and takes each step once', async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  const proxy = await faultyProxy(t, listeningOrigin)
  const model = new Client(proxy.url, { WebSocket }).model('custom-lstm')
  const [output] = (await model.sequence({ x: [X] })).output.nested()
  const session = await model.session()
  const connection = await session.connect()
  const [first, second] = await Promise.all([connection.step({ x: X[0] }), connection.step({ x: X[1] })])
  assert.deepEqual([first.output.nested(), second.output.nested()], output.slice(0, 2))
  proxy.loseNextFrame()
  const third = await connection.step({ x: X[2] })
  assert.deepEqual([third.t, third.output.nested(), session.t, proxy.opened()], [3, output[2], 3, 2])
  proxy.cut()
  assert.equal((await connection.step({ x: [1, 2] })).t, 4)
  assert.equal(proxy.opened(), 3)
  assert.equal((await session.step({ x: [1, 2] })).t, 5)
  await session.delete()
  await assert.rejects(connection.step({ x: [1, 2] }), { name: 'Problem', status: 410 })
  connection.close()
})

test('a connection\'s own row is lost with it', async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  const proxy = await faultyProxy(t, listeningOrigin)
  const connection = await new Client(proxy.url, { WebSocket }).model('custom-lstm').connect()
  await connection.step({ x: [1, 2] })
  proxy.loseNextFrame()
  await assert.rejects(connection.step({ x: [1, 2] }), (error) => error instanceof ConnectionError && error.code === 1006)
  await assert.rejects(connection.step({ x: [1, 2] }), ConnectionError)
  assert.equal(proxy.opened(), 1)
})

test('the steps of an iterable are taken only as fast as their answers are read', async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  const model = new Client(listeningOrigin, { WebSocket }).model()
  const connection = await model.connect({ ahead: 4, fields: ['output'] })
  let asked = 0
  let ended = false
  function * source (): Generator<FrameStep> {
    try {
      for (;;) yield { x: [asked++, 1] }
    } finally {
      ended = true
    }
  }
  let read = 0
  for await (const answer of connection.steps(source())) {
    assert.equal(answer.t, ++read)
    assert.deepEqual(Object.keys(answer).sort(), ['output', 't'])
    await sleep(5)
    assert.ok(asked <= read + 4, `${asked} asked, ${read} read`)
    if (read === 10) break
  }
  assert.ok(ended)
  connection.close()
})

test('an answer does not wait for further steps', async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  const connection = await new Client(listeningOrigin, { WebSocket }).model().connect()
  let told = (_step: FrameStep): void => {}
  async function * live (): AsyncGenerator<FrameStep> {
    for (;;) yield await new Promise<FrameStep>((resolve) => { told = resolve })
  }
  const answers = connection.steps(live())
  for (const [i, x] of X.entries()) {
    const answer = answers.next()
    await sleep(1)
    told({ x })
    assert.equal((await answer).value?.t, i + 1)
  }
  const controller = new AbortController()
  const others = connection.steps(live(), { signal: controller.signal })
  const waiting = others.next()
  controller.abort(new Error('enough'))
  await assert.rejects(waiting, { message: 'enough' })
  connection.close()
})

test('the steps of an iterable end with the one that is refused', async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  const connection = await new Client(listeningOrigin, { WebSocket }).model().connect()
  const taken: number[] = []
  await assert.rejects(async () => {
    for await (const answer of connection.steps([{ x: [1, 2] }, { x: [3, 4] }, { x: [5] }, { x: [6, 7] }])) taken.push(answer.t)
  }, { name: 'Problem', status: 422 })
  assert.deepEqual(taken, [1, 2])
  await until(async () => (await connection.step({ x: [1, 2] }).catch(() => undefined))?.t === 3, 'the others are answered')
  connection.close()
})

test('what cannot be opened says why', async (t) => {
  const { listeningOrigin } = await buildTestApp(t, '--api-key', 'correct/horse=battery')
  const client = new Client(listeningOrigin, { WebSocket, apiKey: 'correct/horse=battery' })
  await assert.rejects(client.model('nobody').connect(), { name: 'Problem', status: 404, message: /there is no model "nobody"/ })
  await assert.rejects(new Client(listeningOrigin, { WebSocket, apiKey: 'wrong/horse=battery' }).model('custom-lstm').connect(), { name: 'Problem', status: 401 })
  const session = await client.model().session()
  await session.delete()
  await assert.rejects(session.connect(), { status: 410 })
  const nowhere = `http://127.0.0.1:${await freePort()}`
  await assert.rejects(new Client(nowhere, { WebSocket }).model('any').connect({ retries: 1 }))
  await assert.rejects(client.model('custom-lstm').connect({ signal: AbortSignal.abort(new Error('never')) }), { message: 'never' })
})

test('without a WebSocket the error says what to do', { skip: 'WebSocket' in globalThis && 'this Node.js has one' }, async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  await assert.rejects(new Client(listeningOrigin).model('custom-lstm').connect(), { name: 'TypeError', message: /option WebSocket/ })
})

test('a connection or a frame that is not wanted any more ends', async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  const model = new Client(listeningOrigin, { WebSocket }).model()
  const controller = new AbortController()
  const connection = await model.connect({ signal: controller.signal })
  const frame = new AbortController()
  const given = connection.sequence({ x: [[1, 2]], steps: 1000 }, { signal: frame.signal })
  frame.abort(new Error('enough'))
  await assert.rejects(given, { message: 'enough' })
  assert.ok((await connection.step({ x: [1, 2] })).t >= 1)
  const long = connection.sequence({ x: [[1, 2]], steps: 60_000 })
  controller.abort()
  await assert.rejects(long, { name: 'ConnectionError', message: 'the connection is closed' })
})

test('a frame that is refused for an overload is sent again, and one that is not answered in time ends the connection', onlyFull('takes seconds'), async (t) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  t.after(() => { server.close() })
  const frames: string[] = []
  const answers = ['{"status": 503, "title": "Service Unavailable", "detail": "overloaded"}', '{"t": 1, "output": [1]}', undefined]
  server.on('connection', (socket) => socket.on('message', (data) => {
    frames.push(String(data))
    const answer = answers.shift()
    if (answer !== undefined) socket.send(answer)
  }))
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const connection = await new Client(`http://127.0.0.1:${address.port}`, { WebSocket }).model('any').connect({ timeout: 2 })
  assert.equal((await connection.step({ x: [1] })).t, 1)
  assert.deepEqual(frames, ['{"x":[1],"t":0}', '{"x":[1],"t":0}'])
  await assert.rejects(connection.step({ x: [1] }), { name: 'TimeoutError' })
  await assert.rejects(connection.step({ x: [1] }), ConnectionError)
})
