import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Client, Problem, type ClientOptions } from '../../../clients/typescript/src/client.ts'
import { buildTestApp } from '../../support/app.ts'
import { faultyProxy, type Fault, type FaultyProxy } from '../../support/faults.ts'

async function behind (t: TestContext, faults: Fault[], options: ClientOptions = {}): Promise<{ client: Client, proxy: FaultyProxy }> {
  const { listeningOrigin } = await buildTestApp(t)
  const proxy = await faultyProxy(t, listeningOrigin, ...faults)
  return { client: new Client(proxy.url, options), proxy }
}

const x = [[0.5, -0.25]]

test('a step is sent again until it is answered, however it failed', async (t) => {
  const { client, proxy } = await behind(t, ['refuse', 'lose', 'break', { status: 502, headers: { 'content-type': 'text/html' }, body: '<p>bad gateway</p>' }, { status: 503 }])
  const { h_out: h } = await client.model().step({ x })
  assert.deepEqual(h.shape, [1, 3])
  assert.equal(proxy.seen.length, 6)
  assert.equal(new Set(proxy.seen.map(({ body }) => body)).size, 1)
})

test('Retry-After is waited for', async (t) => {
  const { client, proxy } = await behind(t, [{ status: 503, headers: { 'retry-after': '1' } }])
  const before = performance.now()
  await client.model().sequence({ x: [x] })
  assert.ok(performance.now() - before >= 1000)
  assert.equal(proxy.seen.length, 2)
})

test('what no other attempt mends is not sent again', async (t) => {
  const { client, proxy } = await behind(t, [{ status: 500, body: 'oh' }, { status: 504 }, { status: 429, headers: { 'retry-after': '7' } }])
  await assert.rejects(client.model().step({ x }), { name: 'Problem', status: 500, title: 'Internal Server Error', message: 'oh' })
  await assert.rejects(client.model().step({ x }), { status: 504, message: 'Gateway Timeout' })
  await assert.rejects(client.model().step({ x }), { status: 429, retryAfter: 7 })
  await assert.rejects(client.model().step({ x: [[1]] }), { status: 422 })
  assert.equal(proxy.seen.length, 4)
})

test('there is an end to it: a number of retries, and the time of the call', async (t) => {
  const { client, proxy } = await behind(t, ['refuse', 'refuse', { status: 503, headers: { 'retry-after': new Date(Date.now() + 100_000).toUTCString() } }], { retries: 1 })
  await assert.rejects(client.model().step({ x }), TypeError)
  assert.equal(proxy.seen.length, 2)
  // It is not waited for: the time of the call is over before.
  const problem = await client.model().step({ x }).catch((error: unknown) => error)
  assert.ok(problem instanceof Problem && problem.retryAfter !== undefined && problem.retryAfter > 60 && problem.retryAfter <= 100)
  proxy.faults.push('refuse')
  await assert.rejects(client.model().step({ x }, { retries: 0 }), TypeError)
  assert.equal(proxy.seen.length, 4)
})

test('a call that takes too long, or is not wanted any more, ends', async (t) => {
  const { client } = await behind(t, ['hang', 'hang'])
  await assert.rejects(client.model().step({ x }, { timeout: 0.05 }), { name: 'TimeoutError', message: 'no answer within 0.05 seconds' })
  const controller = new AbortController()
  const step = client.model().step({ x }, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await assert.rejects(step, { message: 'enough' })
  await assert.rejects(client.model().step({ x }, { signal: AbortSignal.abort(new Error('never')) }), { message: 'never' })
  // So does one that waits for its next attempt.
  const overloaded = await behind(t, [{ status: 503, headers: { 'retry-after': '30' } }])
  const another = new AbortController()
  const waiting = overloaded.client.model().step({ x }, { signal: another.signal })
  const timer = setInterval(() => { if (overloaded.proxy.seen.length > 0) another.abort(new Error('no more')) }, 5)
  await assert.rejects(waiting, { message: 'no more' })
  clearInterval(timer)
})

test('a stream is sent again until it begins; one that breaks off is an error', async (t) => {
  const { client, proxy } = await behind(t, ['refuse', { status: 503 }])
  const lines: unknown[] = []
  for await (const line of client.model().stream({ x: [[[0.5, -0.25], [1, 2]]] })) lines.push(line)
  assert.equal(lines.length, 3)
  proxy.faults.push({ status: 200, body: '{"t":0,"output":[[1,2,3]]}\n{"t":1,"out' })
  await assert.rejects(async () => {
    for await (const line of client.model().stream({ x: [x] })) assert.equal(line.t, 0)
  }, { message: 'the answer broke off' })
  proxy.faults.push('break')
  await assert.rejects(async () => {
    for await (const line of client.model().stream({ x: [x] })) assert.equal(line.t, 0)
  })
})

test('a stream that is not read to its end, or is not wanted any more, ends its connection', async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  const client = new Client(listeningOrigin)
  const long = { x: [[[0.5, -0.25]]], steps: 60_000 }
  const lines = client.model().stream(long)
  assert.equal((await lines.next()).value?.t, 0)
  await lines.return()
  const controller = new AbortController()
  await assert.rejects(async () => {
    for await (const line of client.model().stream(long, { signal: controller.signal })) if (line.t === 10) controller.abort(new Error('enough'))
  }, { message: 'enough' })
})

test('a session is begun once: only a refusal is tried again', async (t) => {
  const { client, proxy } = await behind(t, [{ status: 503 }, 'lose', { status: 502 }])
  const model = client.model('custom-lstm')
  await assert.rejects(model.session(), TypeError)
  await assert.rejects(model.session(), { status: 502 })
  assert.equal(proxy.seen.length, 3)
})
