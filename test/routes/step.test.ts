import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { closeTo } from '../support/close.ts'
import { buildTestApp } from '../support/app.ts'
import { overflowingModels, writeModels } from '../support/models.ts'
import { customLstm, writeSafetensors } from '../support/safetensors.ts'

const X = [[0.5, -0.25], [1, 2], [-3, 0.125]]
const H = [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [-1, 0, 1, -1, 0, 1], [0, 0, 0, 0, 0, 9]]
const C = [[1, -1, 0.5], [0, 0, 0], [0.25, 0.5, 0.75]]

test('a step answers a row for each row of x, and a row is the same alone', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.post('/step').send({ x: X, h_in: H, c_in: C }).expect(200)
  assert.equal(body.h_out.length, 3)
  assert.equal(body.c_out[0].length, 3)
  for (const [b, x] of X.entries()) {
    const alone = await request.post('/step').send({ x, h_in: H[b], c_in: C[b] }).expect(200)
    assert.equal(alone.body.h_out.length, 3)
    closeTo(alone.body.h_out, body.h_out[b])
    closeTo(alone.body.c_out, body.c_out[b])
  }
})

test('x may have ranks 1, 2 and 3, the step axis being 1', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: flat } = await request.post('/step').send({ x: X[0] }).expect(200)
  const { body: rows } = await request.post('/step').send({ x: [X[0]] }).expect(200)
  const { body: torch } = await request.post('/step').send({ x: [[X[0]]] }).expect(200)
  assert.deepEqual(rows, { h_out: [flat.h_out], c_out: [flat.c_out] })
  assert.deepEqual(torch, rows)
})

test('one state vector is shared by all rows, and none is zeros', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const shared = await request.post('/step').send({ x: X, h_in: H[0], c_in: C[0] }).expect(200)
  const spelled = await request.post('/step').send({ x: X, h_in: [H[0], H[0], H[0]], c_in: [C[0], C[0], C[0]] }).expect(200)
  assert.deepEqual(shared.body, spelled.body)
  const none = await request.post('/step').send({ x: X }).expect(200)
  const zeros = await request.post('/step').send({ x: X, h_in: [0, 0, 0, 0, 0, 0], c_in: [0, 0, 0] }).expect(200)
  assert.deepEqual(none.body, zeros.body)
  assert.notDeepEqual(none.body, shared.body)
})

test('a model is named in the path; without a name the default one answers', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const byDefault = await request.post('/step').send({ x: X }).expect(200)
  const byName = await request.post('/models/custom-lstm/step').send({ x: X }).expect(200)
  const other = await request.post('/models/symmetric/step').send({ x: X }).expect(200)
  assert.deepEqual(byDefault.body, byName.body)
  assert.equal(other.body.h_out[0].length, 4)
})

test('several models and no default: the 404 lists them', async (t) => {
  const file = writeSafetensors(customLstm(2, 6, 3))
  const models = await writeModels(t, { 'a.safetensors': file, 'b.safetensors': file })
  const request = supertest((await buildTestApp(t, '--models', models)).server)
  const { body } = await request.post('/step').send({ x: X }).expect(404)
  assert.match(body.detail, /the models are a, b/)
  await request.post('/models/a/step').send({ x: X }).expect(200)
})

const WRONG: ReadonlyArray<[name: string, body: object, path: string, message: RegExp]> = [
  ['a width', { x: [[1, 2, 3]] }, '/x', /expected vectors of 2 numbers \(I\), got 3/],
  ['more than one step', { x: [[[1, 2], [3, 4]]] }, '/x', /got 2; a sequence goes to \/sequence/],
  ['the width of h_in', { x: X, h_in: [1, 2, 3, 4, 5] }, '/h_in', /expected vectors of 6 numbers \(Hi\), got 5/],
  ['the width of c_in', { x: X, c_in: [1, 2, 3, 4] }, '/c_in', /expected vectors of 3 numbers \(Ho\), got 4/],
  ['the batch of h_in', { x: X, h_in: [H[0], H[1]] }, '/h_in', /expected 3 rows, as many as x has .*, got 2/],
  ['the batch of c_in', { x: X[0], c_in: C }, '/c_in', /expected 1 rows, as many as x has .*, got 3/],
  ['a ragged row', { x: [[1, 2], [3]] }, '/x/1', /ragged/],
  ['an empty batch', { x: [] }, '/x', /is empty/],
  ['an empty row', { x: [[]] }, '/x/0', /is empty/],
  ['infinity as a float32', { x: [1e39, 1] }, '/x/0', /not finite as a float32/]
]

for (const [name, body, path, message] of WRONG) {
  test(`${name} that does not fit is a 422 that names field and numbers`, async (t) => {
    const request = supertest((await buildTestApp(t)).server)
    const answer = await request.post('/step').send(body).expect(422).expect('content-type', /^application\/problem\+json/)
    assert.equal(answer.body.errors[0].path, path)
    assert.match(answer.body.errors[0].message, message)
    if (!answer.body.errors[0].message.includes('ragged') && answer.body.model !== undefined) assert.match(answer.body.detail, /model custom-lstm/)
  })
}

test('inputs that overflow to NaN are a 422 that names row and step, never a NaN or null', async (t) => {
  const request = supertest((await buildTestApp(t, '--models', await overflowingModels(t))).server)
  const { body } = await request.post('/step').send({ x: [[0, 0], [3e38, 3e38]], h_in: [[0, 0, 0], [3e38, 3e38, 3e38]] }).expect(422)
  assert.match(body.detail, /row 1, step 0: the arithmetic overflows/)
  await request.post('/step').send({ x: [[1, 2]] }).expect(200)
})

test('ids for a bare step whose cell reads more than the embedding are refused in those words, and true with state', async (t) => {
  const request = supertest((await buildTestApp(t, '--models', 'test/fixtures/whole')).server)
  const { body } = await request.post('/models/decoder/step').send({ ids: [1] }).expect(422)
  assert.equal(body.errors[0].path, '/ids')
  assert.match(body.errors[0].message, /^this is a step of the bare network, whose first cell reads more than the embedding writes; .*: send x, vectors of \d+ numbers$/)
  const { body: { widths } } = await request.get('/models/decoder').expect(200)
  await request.post('/models/decoder/step').send({ x: [new Array(widths.step_x).fill(0.1)] }).expect(200)
  const { body: wired } = await request.post('/models/decoder/step').send({ ids: [1], state: [], context: { support: [[[0.1, 0.2, 0.3]]] } }).expect(200)
  assert.equal(wired.state.length, 1)
})
