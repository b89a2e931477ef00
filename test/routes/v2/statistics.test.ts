import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp, startService } from '../../support/app.ts'
import { overflowingModels } from '../../support/models.ts'
import { openSocket } from '../../support/sockets.ts'
import { until } from '../../support/until.ts'

const X = [0.5, -0.25]
const INFER = { inputs: [{ name: 'x', shape: [3, 2], datatype: 'FP32', data: [...X, ...X, ...X] }] }

interface Duration {
  readonly count: number
  readonly ns: number
}
interface Statistics {
  readonly name: string
  readonly version: string
  readonly inference_count: number
  readonly execution_count: number
  readonly inference_stats: Readonly<Record<string, Duration>>
}

function countsOf ({ inference_count: inferences, execution_count: executions, inference_stats: stats }: Statistics) {
  return [inferences, executions, ...['success', 'fail', 'queue', 'compute_infer'].map((name) => stats[name].count)]
}

test('the statistics of a model are what the metrics have counted, under Triton\'s names', async (t) => {
  const app = await buildTestApp(t, '--models', await overflowingModels(t))
  const request = supertest(app.server)
  assert.ok((await request.get('/v2').expect(200)).body.extensions.includes('statistics'))
  const statistics = async (path = '/models/overflowing/stats'): Promise<Statistics> => {
    const { body } = await request.get(`/v2${path}`).expect(200).expect('content-type', 'application/json')
    assert.deepEqual([Object.keys(body), body.model_stats.length], [['model_stats'], 1])
    return body.model_stats[0]
  }
  const before = await statistics()
  assert.deepEqual(Object.keys(before), ['name', 'version', 'inference_count', 'execution_count', 'inference_stats'])
  assert.deepEqual(before.inference_stats, Object.fromEntries(['success', 'fail', 'queue', 'compute_infer'].map((name) => [name, { count: 0, ns: 0 }])))

  const { body: { version } } = await request.get('/models/overflowing').expect(200)
  await request.post('/step').send({ x: [X] }).expect(200)
  await request.post('/models/overflowing/sequence').send({ x: [[X, X], [X, X]] }).expect(200)
  await request.post('/v2/models/overflowing/infer').send(INFER).expect(200)
  const { headers: { location } } = await request.post('/models/overflowing/sessions').send({}).expect(201)
  await request.post(`${location}/step`).send({ x: X }).expect(200)
  const socket = await openSocket(t, app, '/models/overflowing/stream')
  await socket.ask({ x: X })
  assert.equal((await socket.ask({ x: [3e38, -3e38] })).status, 422)
  await request.post('/step').send({ x: [1] }).expect(422)
  // An answer is counted once it has been sent.
  await until(async () => (await statistics()).inference_stats.success.count === 5 && (await statistics()).inference_stats.fail.count === 2, 'seven answers')

  const after = await statistics()
  assert.deepEqual([after.name, after.version], ['overflowing', version])
  const { success, queue, compute_infer: computed } = after.inference_stats
  // Steps of rows: 1, 2 of 2 rows, 3 rows, 1, 1, and one that overflowed. Each of these requests waited, and one was wrong before.
  assert.deepEqual([after.inference_count, queue.count], [1 + 4 + 3 + 1 + 1 + 1, 6])
  assert.equal(after.execution_count, computed.count)
  assert.ok(computed.count >= 6 && computed.count <= 11, `${computed.count}`)
  for (const { ns } of [success, queue, computed]) assert.ok(Number.isInteger(ns) && ns > 0)
  assert.ok(success.ns > queue.ns)

  // To ask for them, and to begin a session, is no inference.
  for (const path of ['/models/overflowing/versions/1/stats', `/models/overflowing/versions/${version}/stats`, '/models/stats']) assert.deepEqual(countsOf(await statistics(path)), countsOf(after), path)
})

test('all models have statistics, each its own; what is not there has none', async (t) => {
  const request = supertest((await startService(t)).app.server)
  await request.post('/models/symmetric/step').send({ x: [X] }).expect(200)
  await until(async () => {
    const { body: { model_stats: all } }: { body: { model_stats: Statistics[] } } = await request.get('/v2/models/stats').expect(200)
    assert.deepEqual(all.map(({ name }) => name), ['attention-decoder', 'bidirectional-lstm', 'custom-lstm', 'gru', 'matching-networks', 'symmetric'])
    return all.every((each) => countsOf(each).join() === (each.name === 'symmetric' ? '1,1,1,0,1,1' : '0,0,0,0,0,0'))
  }, 'one answer')
  assert.match((await request.get('/v2/models/nobody/stats').expect(404)).body.error, /^there is no model "nobody"/)
  assert.match((await request.get('/v2/models/symmetric/versions/2/stats').expect(404)).body.error, /^model symmetric has no version "2"/)
})

test('if the metrics have a port of their own, no client sees the statistics', async (t) => {
  const request = supertest((await buildTestApp(t, '--metrics-port', '0')).server)
  assert.deepEqual((await request.get('/v2').expect(200)).body.extensions, ['binary_tensor_data', 'sequence'])
  assert.match((await request.get('/v2/models/symmetric/stats').expect(404)).body.error, /^there is no \/v2\/models\/symmetric\/stats/)
})
