import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { createClient, openStream, StreamError, type Socket, type StreamOptions } from '../../src/client/client.ts'
import { buildTestApp } from '../support/app.ts'
import { until } from '../support/until.ts'

// Node.js 20 has no WebSocket of its own.
const connect = (url: string, protocols: string[]): Socket => new WebSocket(url, protocols)
const ROW = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4]]
const model = 'custom-lstm'

test('a stream takes steps as JSON and as floats, several at once', async (t) => {
  const { listeningOrigin: baseUrl } = await buildTestApp(t, '--api-key', 'correct/horse=battery')
  const apiKey = 'correct/horse=battery'
  const { data: whole } = await createClient({ baseUrl, apiKey }).POST('/sequence', { body: { x: [ROW] } })
  const [output] = whole?.output ?? []
  const stream = await openStream({ baseUrl, model, apiKey, connect })
  const [first, second, third] = await Promise.all([stream.ask({ x: ROW[0] }), stream.steps(Float32Array.from(ROW[1])), stream.ask({ x: [ROW[2]], t: 2 })])
  assert.deepEqual(first, { t: 1, output: output[0] })
  assert.deepEqual([...second], output[1].map(Math.fround))
  assert.deepEqual(third, { t: 3, output: [output[2]] })
  stream.close()
  await until(async () => await stream.ask({ x: ROW[0] }).then(() => false, (error) => error instanceof StreamError && /has ended: 1000/.test(error.message)), 'it has ended')
})

test('what is refused rejects with the problem, and the stream goes on', async (t) => {
  const { listeningOrigin: baseUrl } = await buildTestApp(t)
  const stream = await openStream({ baseUrl, model, connect, fields: ['output'] })
  await assert.rejects(stream.ask({ x: [1] }), ({ message, problem }: StreamError) => problem?.status === 422 && message.includes('/x: expected vectors of 2 numbers'))
  await assert.rejects(stream.steps(Float32Array.of(1)), /a multiple of 8 bytes/)
  assert.equal((await stream.ask({ x: [1, 2] })).t, 1)
  stream.close()
})

test('a stream takes the steps of a stored session', async (t) => {
  const { listeningOrigin: baseUrl } = await buildTestApp(t)
  const client = createClient({ baseUrl })
  const { data: session } = await client.POST('/models/{model}/sessions', { params: { path: { model } }, body: {} })
  const stream = await openStream({ baseUrl, model, connect, ...(session !== undefined && { session: session.session }) })
  assert.equal((await stream.ask({ x: [1, 2] })).t, 1)
  const { data } = await client.POST('/sessions/{session}/step', { params: { path: { session: session?.session ?? '' } }, body: { x: [1, 2], t: 1 } })
  assert.equal(data?.t, 2)
  stream.close()
})

test('what cannot be opened rejects', async (t) => {
  const { listeningOrigin: baseUrl } = await buildTestApp(t)
  const options: StreamOptions = { baseUrl, model: 'nobody', connect }
  await assert.rejects(openStream(options), StreamError)
})
