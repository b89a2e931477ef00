import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp, testEngine } from '../support/app.ts'
import { writeModels } from '../support/models.ts'
import { customLstm, f32, under, writeSafetensors } from '../support/safetensors.ts'

test('GET /models lists every model with sizes, policy, engine and weights', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.get('/models').expect(200)
  const { name: engine, backend } = await testEngine()
  assert.deepEqual(body.models.map((model: { name: string }) => model.name), ['custom-lstm', 'matching-networks', 'symmetric'])
  const { feedback, version, ...first } = body.models[0]
  assert.match(version, /^[0-9a-f]{16}$/)
  assert.deepEqual(first, {
    name: 'custom-lstm',
    default: true,
    sizes: { I: 2, Hi: 6, Ho: 3 },
    cell: { kind: 'lstm', activation: 'tanh', recurrent_activation: 'sigmoid' },
    engine: { name: engine, backend },
    parameters: 12 * 2 + 12 * 6 + 12 + 12,
    weight_bytes: 4 * 120,
    unused_tensors: []
  })
  assert.equal(feedback.policy, 'repeat')
})

test('GET /models/{model} publishes the JSON schema of the context', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.get('/models/matching-networks').expect(200)
  assert.equal(body.feedback.policy, 'attention')
  assert.deepEqual(body.feedback.context.required, ['support'])
  assert.equal(body.feedback.context.properties.support.items.items.type, 'array', '[B][N][D]')
  assert.ok(!('tensor' in body.feedback.context.properties.support), 'only what JSON Schema knows')
})

test('GET /models/{model} shows the options of the policy and the tensors that nothing uses', async (t) => {
  const models = await writeModels(t, {
    'summing/model.safetensors': writeSafetensors({ 'emb.weight': f32([2], [1, 2]), ...under('lstm', customLstm(3, 3, 3)), 'out.weight': f32([2], [1, 2]) }),
    'summing/config.json': '{"feedback": {"policy": "attention", "combine": "sum"}}',
    'projecting/model.safetensors': writeSafetensors({ ...under('lstm', customLstm(2, 4, 1)), 'p.weight': f32([4, 1], [1, 2, 3, 4]), 'p.bias': f32([4], [1, 2, 3, 4]) }),
    'projecting/config.json': '{"feedback": {"policy": "projection", "weight": "p.weight"}}'
  })
  const request = supertest((await buildTestApp(t, '--models', models)).server)
  const { body: summing } = await request.get('/models/summing').expect(200)
  const { context, ...feedback } = summing.feedback
  assert.deepEqual(feedback, { policy: 'attention', combine: 'sum', residual: false })
  assert.deepEqual(summing.unused_tensors, ['emb.weight', 'out.weight'])
  const { body: projecting } = await request.get('/models/projecting').expect(200)
  assert.equal(projecting.feedback.weight, 'p.weight')
  assert.deepEqual(projecting.unused_tensors, ['p.bias'])
})

test('GET /models/{model} shows what the cell is', async (t) => {
  const lstm = writeSafetensors(customLstm(2, 2, 2))
  const models = await writeModels(t, {
    'hard/model.safetensors': lstm,
    'hard/config.json': '{"cell": {"recurrent_activation": "hard_sigmoid", "slope": 0.16666667, "activation": "relu"}}',
    'rnn/model.safetensors': writeSafetensors({ weight_ih: f32([1, 2], [1, 2]), weight_hh: f32([1, 1], [1]) }),
    'rnn/config.json': '{"cell": {"activation": "relu"}}'
  })
  const request = supertest((await buildTestApp(t, '--models', models)).server)
  const { body: hard } = await request.get('/models/hard').expect(200)
  assert.deepEqual(hard.cell, { kind: 'lstm', activation: 'relu', recurrent_activation: 'hard_sigmoid', slope: 1 / 6 })
  const { body: rnn } = await request.get('/models/rnn').expect(200)
  assert.deepEqual(rnn.cell, { kind: 'rnn', activation: 'relu' })
})

test('an unknown model is a 404 that lists those that there are', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.get('/models/nobody').expect(404).expect('content-type', /^application\/problem\+json/)
  assert.match(body.detail, /no model "nobody"; the models are custom-lstm, matching-networks, symmetric/)
})
