import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp } from '../support/app.ts'
import { floats, numbersIn, openSocket, refusedSocket, type Told } from '../support/sockets.ts'

const ROW = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4], [1, 1]]
const STREAM = '/models/custom-lstm/stream'
const ATT = '/models/matching-networks'
const context = { support: [[1, 0, 0, 0], [0, 1, 0, 0], [0.5, -0.5, 0.25, 1]] }

/** A field of an answer in JSON. */
function field (told: Told, name: string): unknown {
  return told instanceof Buffer ? undefined : told[name]
}

test('a connection takes the steps of a sequence, one or many in a frame, as text or as bytes', async (t) => {
  const app = await buildTestApp(t)
  const request = supertest(app.server)
  const { body: whole } = await request.post('/sequence').send({ x: ROW }).expect(200)
  const client = await openSocket(t, app, STREAM)
  assert.deepEqual(await client.ask({ x: ROW[0] }), { t: 1, output: whole.output[0] })
  assert.deepEqual(await client.ask({ x: ROW.slice(1, 3) }), { t: 3, output: whole.output.slice(1, 3) })
  assert.deepEqual(numbersIn(await client.ask(floats(...ROW[3]))), whole.output[3].map(Math.fround))

  const binary = await openSocket(t, app, STREAM)
  assert.deepEqual(numbersIn(await binary.ask(floats(...ROW.flat()))), whole.output.flat().map(Math.fround))
  assert.deepEqual(await binary.ask({ state: true, x: ROW[0], t: 4 }).then((told) => [field(told, 't'), typeof field(told, 'state')]), [5, 'string'])
})

test('the handshake is refused with a problem', async (t) => {
  const app = await buildTestApp(t)
  assert.equal((await refusedSocket(app, '/models/nobody/stream')).status, 404)
})

test('a context travels once', async (t) => {
  const app = await buildTestApp(t)
  const x = [[0.5, 0.1, -0.2, 0.3], [1, 0, 0, 1]]
  const { body: whole } = await supertest(app.server).post(`${ATT}/sequence`).send({ x, context }).expect(200)
  const client = await openSocket(t, app, `${ATT}/stream`)
  assert.deepEqual(await client.ask({ context }), { t: 0 })
  assert.deepEqual(await client.ask({ x }), { t: 2, output: whole.output })
})
