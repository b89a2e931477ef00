import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { Tensor } from '../../src/tensor/tensor.ts'
import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import { readFloats } from '../../src/weights/layouts/floats.ts'
import { NDJSON } from '../../src/wire/json.ts'
import { SAFETENSORS } from '../../src/wire/safetensors.ts'
import { buildTestApp, lastingService } from '../support/app.ts'
import { inferBinary } from '../support/inference.ts'
import { writeModels } from '../support/models.ts'
import { f32, customLstm, writeSafetensors } from '../support/safetensors.ts'
import { openSocket } from '../support/sockets.ts'

const X = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4], [1, 1]]
const PARTS = ['h', 'c', 'gates']
const WIDTHS: Readonly<Record<string, number>> = { h: 3, c: 3, gates: 12 }

const { app } = await lastingService()
const request = supertest(app.server)
const MODEL = '/models/custom-lstm'

type Steps = Readonly<Record<string, readonly number[][]>>

/** What all others are held against: the parts of the whole sequence, as JSON. */
const { body: { output, parts: whole } }: { body: { output: number[][], parts: Steps } } = await request.post(`${MODEL}/sequence`).send({ x: X, parts: PARTS }).expect(200)
const at = (t: number): object => Object.fromEntries(PARTS.map((name) => [name, whole[name][t]]))
const rounded = (name: string): number[] => whole[name].flat().map(Math.fround)

test('as JSON they have an entry a step, of the widths that the model says', async () => {
  for (const name of PARTS) assert.deepEqual(whole[name].map(({ length }) => length), X.map(() => WIDTHS[name]))
  assert.deepEqual(whole.h, output)
  const { body: { parts } } = await request.get(MODEL).expect(200)
  assert.deepEqual(parts, PARTS.map((name) => ({ name, width: WIDTHS[name], entries: 'T' })))
  // One after the other, the gates make c of the c before.
  for (const [t, gates] of whole.gates.entries()) {
    const [i, f, g, o] = [0, 3, 6, 9].map((from) => gates.slice(from, from + 3))
    whole.c[t].forEach((c, unit) => {
      assert.ok(Math.abs(c - (f[unit] * (t === 0 ? 0 : whole.c[t - 1][unit]) + i[unit] * g[unit])) < 1e-6)
      assert.ok(Math.abs(whole.h[t][unit] - o[unit] * Math.tanh(c)) < 1e-6)
    })
  }
})

test('as safetensors, lines, tensors of the Open Inference Protocol, steps of a session and frames they have the same bits', async (t) => {
  const document = await request.post(`${MODEL}/sequence?parts=${PARTS.join(',')}`).set({ 'content-type': SAFETENSORS, accept: SAFETENSORS }).send(Buffer.from(writeSafetensors({ x: f32([1, 4, 2], X.flat()) })))
    .buffer(true).parse((response, done) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk) => { chunks.push(chunk) }).on('end', () => { done(null, Buffer.concat(chunks)) })
    }).expect(200)
  const tensors = parseSafetensors(document.body)
  const { text } = await request.post(`${MODEL}/sequence`).set('accept', NDJSON).send({ x: X, parts: PARTS }).expect(200)
  const lines: ReadonlyArray<{ parts?: object }> = text.trimEnd().split('\n').map((line) => JSON.parse(line))
  const { outputs, shapes } = await inferBinary(app.server, `/v2${MODEL}/infer`, { x: f32([1, 4, 2], X.flat()) }, { outputs: PARTS.map((name) => ({ name: `parts/${name}` })), parameters: { binary_data_output: true } })
  for (const name of PARTS) {
    const { shape, data } = readFloats(tensors, `parts/${name}`)
    assert.deepEqual(new Tensor(shape, data), new Tensor([1, 4, WIDTHS[name]], Float32Array.from(rounded(name))), `${name} as safetensors`)
    assert.deepEqual([shapes[`parts/${name}`], outputs[`parts/${name}`]], [[1, 4, WIDTHS[name]], rounded(name)], `${name} of the protocol`)
  }
  assert.deepEqual(lines.slice(0, 4).map(({ parts }) => parts), X.map((_, step) => at(step)))
  assert.equal(lines[4].parts, undefined)

  const { body: { session } } = await request.post(`${MODEL}/sessions`).send({}).expect(201)
  const { body: one } = await request.post(`/sessions/${session}/step`).send({ x: X[0], t: 0, parts: PARTS }).expect(200)
  assert.deepEqual(one, { t: 1, output: output[0], parts: at(0) })
  assert.deepEqual((await request.post(`/sessions/${session}/step`).send({ x: X[0], t: 0, parts: PARTS }).expect(200)).body, one, 'a step that was taken answers again')
  const { body: more } = await request.post(`/sessions/${session}/sequence`).send({ x: X.slice(1), parts: PARTS }).expect(200)
  assert.deepEqual(more.parts, Object.fromEntries(PARTS.map((name) => [name, whole[name].slice(1)])))

  const socket = await openSocket(t, app, `${MODEL}/stream`)
  assert.deepEqual(await socket.ask({ x: X[0], parts: PARTS }), { t: 1, output: output[0], parts: at(0) })
  assert.deepEqual((await socket.ask({ x: X.slice(1), parts: ['gates'] })).parts, { gates: whole.gates.slice(1) })
})

test('the last step alone has one entry of them', async () => {
  const { body: { parts } } = await request.post(`${MODEL}/sequence`).send({ x: [X, X.slice(0, 2)], parts: PARTS, return_sequences: false }).expect(200)
  for (const name of PARTS) assert.deepEqual(parts[name], [[whole[name][3]], [whole[name][1]]])
})

test('those that a network does not have are a 422 that says so', async () => {
  const { body } = await request.post('/models/gru/sequence').send({ x: [[[1, 2, 3]]], parts: ['h', 'c'] }).expect(422).expect('content-type', /^application\/problem\+json/)
  assert.deepEqual([body.errors[0].path, body.model], ['/parts/1', 'gru'])
  assert.match(body.detail, /there is no c: the cells are of kind gru, and only an lstm has one; the parts are h, gates$/)
  await request.post('/step').send({ x: X[0], parts: ['h'] }).expect(400).expect(({ body }) => assert.match(body.detail, /\/parts: is not a known field/))
})

test('a let of the name of a part stops the start', async (t) => {
  const models = await writeModels(t, {
    'own/model.safetensors': writeSafetensors(customLstm(2, 3, 3)),
    'own/config.json': '{"feedback": {"policy": "wiring", "let": {"gates": "h"}}}'
  })
  await assert.rejects(buildTestApp(t, '--models', models), /\/feedback\/let\/gates: the name gates has a meaning of its own: choose another one/)
})
