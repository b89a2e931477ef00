import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp, testEngine } from '../support/app.ts'
import { writeModels } from '../support/models.ts'
import { customLstm, f32, under, writeSafetensors } from '../support/safetensors.ts'

const NAMES = ['attention-decoder', 'bidirectional-lstm', 'custom-lstm', 'gru', 'matching-networks', 'symmetric']

test('GET /models lists every model with sizes, policy, wiring, state, engine and weights', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.get('/models').expect(200)
  const { name: engine, backend } = await testEngine()
  assert.deepEqual(body.models.map((model: { name: string }) => model.name), NAMES)
  const { feedback, version, ...custom } = body.models[2]
  assert.deepEqual(custom, {
    name: 'custom-lstm',
    default: true,
    layers: 1,
    directions: 1,
    sizes: { I: 2, Hi: 6, Ho: 3 },
    cell: { kind: 'lstm', activation: 'tanh', recurrent_activation: 'sigmoid' },
    widths: { step_x: 2, sequence_x: 2, h_in: 6, h_out: 3, c: 3, output: 3 },
    wiring: { initial: 'read', residual: false, let: {}, x: 'x', h_in: ['h', 'h'] },
    parts: [{ name: 'h', width: 3, entries: 'T' }, { name: 'c', width: 3, entries: 'T' }, { name: 'gates', width: 12, entries: 'T' }],
    state: { width: 12, slices: [{ name: 'h0', offset: 0, width: 3 }, { name: 'c0', offset: 3, width: 3 }, { name: 'h_in', offset: 6, width: 6 }] },
    engine: { name: engine, backend },
    parameters: 12 * 2 + 12 * 6 + 12 + 12,
    weights: 'f32',
    weight_bytes: 4 * 120,
    unused_tensors: []
  })
  assert.equal(feedback.policy, 'repeat')
  assert.match(version, /^[0-9a-f]{64}$/)
})

test('GET /models/{model} shows both widths of x, the wiring with its layers\' widths, and every trained parameter', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.get('/models/attention-decoder').expect(200)
  assert.deepEqual(body.widths, { step_x: 8, sequence_x: 3, h_in: 4, h_out: 4, c: 4, output: 4 })
  assert.deepEqual(body.wiring, {
    initial: 'read',
    residual: false,
    read: {
      score: 'additive',
      scale: 1,
      query: { in: 4, out: 6, activation: 'none', of: 'h' },
      key: { in: 5, out: 6, activation: 'none' },
      activation: 'tanh',
      support: 5
    },
    let: {},
    x: ['x', 'read'],
    h_in: 'h'
  })
  assert.equal(body.parameters, 16 * 8 + 16 * 4 + 16 + 16 + (6 * 4 + 6) + (6 * 5 + 6) + 6)
})

test('GET /models/{model} shows layers, directions, kind and projection', async (t) => {
  const request = supertest((await buildTestApp(t, '--models', 'test/fixtures/torch')).server)
  const { body: both } = await request.get('/models/lstm-2-proj-both').expect(200)
  assert.deepEqual([both.cell.kind, both.layers, both.directions, both.proj_size, both.sizes], ['lstm', 2, 2, 2, { I: 3, Hi: 2, Ho: 2 }])
  assert.deepEqual(both.widths, { sequence_x: 3, h_in: 8, h_out: 8, c: 24, output: 4 })
  assert.deepEqual(both.state.slices.slice(0, 2), [{ name: 'layer 0 forward: h0', offset: 0, width: 2 }, { name: 'layer 0 forward: c0', offset: 2, width: 6 }])
  assert.equal(both.state.width, 32)
  const { body: gru } = await request.get('/models/gru-2').expect(200)
  assert.deepEqual([gru.cell.kind, gru.layers, gru.directions, gru.proj_size, gru.widths.c], ['gru', 2, 1, undefined, 0])
})

test('the version is that of the files\' bytes, wherever they lie', async (t) => {
  const cell = writeSafetensors(customLstm(2, 3, 3))
  const config = '{"feedback": {"policy": "identity"}}'
  const models = await writeModels(t, {
    'a.safetensors': cell,
    'b/model.safetensors': cell,
    'c/model.safetensors': cell,
    'c/config.json': config,
    'd/model.safetensors': cell,
    'd/config.json': `${config}\n`,
    'e/model.safetensors': writeSafetensors(customLstm(2, 3, 3, 0.2)),
    'f/model.safetensors': cell,
    'f/feedback.mjs': 'export const feedback = ({ h }) => h'
  })
  const { body } = await supertest((await buildTestApp(t, '--models', models)).server).get('/models').expect(200)
  const versions: string[] = body.models.map(({ version }: { version: string }) => version)
  assert.equal(versions[0], versions[1])
  assert.equal(new Set(versions).size, 5)
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

test('a policy that leaves the feedback to the client has no wiring', async (t) => {
  const models = await writeModels(t, { 'mine.safetensors': writeSafetensors(customLstm(2, 6, 3)) })
  const { body } = await supertest((await buildTestApp(t, '--models', models)).server).get('/models/mine').expect(200)
  assert.deepEqual([body.feedback.policy, 'wiring' in body], ['none', false])
})

test('an unknown model is a 404 that lists those that there are', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.get('/models/nobody').expect(404).expect('content-type', /^application\/problem\+json/)
  assert.match(body.detail, /no model "nobody"; the models are attention-decoder, bidirectional-lstm, custom-lstm, gru, matching-networks, symmetric/)
})
