import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from '../../../clients/typescript/src/client.ts'
import { buildTestApp } from '../../support/app.ts'
import { faultyProxy } from '../../support/faults.ts'

const X = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4], [1, 2]]

for (const format of ['safetensors', 'json'] as const) {
  test(`a session takes each step once, whatever becomes of its answers: ${format}`, async (t) => {
    const { listeningOrigin } = await buildTestApp(t)
    const proxy = await faultyProxy(t, listeningOrigin)
    const model = new Client(proxy.url, { format }).model('custom-lstm')
    const { output } = await model.sequence({ x: [X], return_sequences: true })
    const [rows] = output.nested()
    const session = await model.session({ idle_timeout: 60, h_0: Float32Array.of(0, 0, 0) })
    assert.deepEqual([session.t, session.model], [0, 'custom-lstm'])
    proxy.faults.push('lose', { status: 503 }, 'break')
    const first = await session.step({ x: Float32Array.from(X[0]) })
    assert.deepEqual([first.t, first.output.nested(), session.t], [1, rows[0], 1])
    proxy.faults.push('lose', 'lose')
    // Asked for at once, taken in this order.
    const [second, third] = await Promise.all([session.sequence({ x: [X[1]] }), session.step({ x: X[2] })])
    assert.deepEqual([second.t, second.output.nested(), third.t, third.output.nested()], [2, [rows[1]], 3, rows[2]])
    const lines = []
    proxy.faults.push('refuse')
    for await (const line of session.stream({ x: [X[3]] })) lines.push(line)
    assert.deepEqual(lines.map(({ t, output }) => [t, output?.nested()]), [[4, rows[3]], [4, undefined]])
    assert.equal(session.t, 4)
  })
}

test('what fails leaves a session where it was', async (t) => {
  const client = new Client((await buildTestApp(t)).listeningOrigin)
  const session = await client.model('custom-lstm').session()
  const [refused, taken] = await Promise.allSettled([session.step({ x: [1] }), session.step({ x: [1, 2] })])
  assert.ok(refused.status === 'rejected' && taken.status === 'fulfilled')
  assert.equal(session.t, 1)
})

test('two clients of one session do not overtake each other', async (t) => {
  const client = new Client((await buildTestApp(t)).listeningOrigin)
  const one = await client.model('custom-lstm').session()
  const other = await client.session(one.id)
  await one.step({ x: [1, 2] })
  await assert.rejects(other.step({ x: [3, 4] }), { name: 'Problem', status: 409, message: /t = 1/ })
  // Its own last step can be asked for again, by whoever says which it was.
  assert.deepEqual(await other.step({ x: [1, 2], t: 0 }), await one.step({ x: [1, 2], t: 0 }))
  assert.equal((await other.export()).t, 1)
  assert.equal((await other.step({ x: [3, 4] })).t, 2)
})

test('a session keeps its context, and moves with its export', async (t) => {
  const client = new Client((await buildTestApp(t)).listeningOrigin)
  const model = client.model('matching-networks')
  const session = await model.session({ context: { support: [[1, 0, 0, 0], [0, 1, 0, 0]] } })
  const first = await session.step({ x: [0.5, 0.1, -0.2, 0.3], parts: ['attention'] })
  assert.deepEqual(first.parts?.attention.shape, [2])
  const moved = await model.session(await session.export())
  assert.equal(moved.t, 1)
  const x = [1, 0, 0, 1]
  assert.deepEqual(await moved.step({ x }), await session.step({ x }))
  const chain = model.chain({ context: { support: [[1, 0, 0, 0], [0, 1, 0, 0]] } })
  await chain.step({ x: [x] })
  const [state] = chain.state?.texts() ?? []
  const going = await model.session({ state, context: { support: [[1, 0, 0, 0], [0, 1, 0, 0]] } })
  assert.deepEqual((await going.step({ x })).output.nested(), (await chain.step({ x: [x] })).h_out.nested()[0])
})

test('a session is ended, if it has not ended yet', async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  const proxy = await faultyProxy(t, listeningOrigin)
  const client = new Client(proxy.url)
  const session = await client.model().session()
  proxy.faults.push('lose')
  await session.delete()
  await assert.rejects(session.step({ x: [1, 2] }), { status: 410, message: /deleted/ })
  await assert.rejects(client.session(session.id), { status: 410 })
  await assert.rejects(client.session('nobody'), { status: 404 })
})
