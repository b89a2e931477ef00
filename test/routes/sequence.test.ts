import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { closeTo } from '../support/close.ts'
import { buildTestApp } from '../support/app.ts'
import { overflowingModels, writeModels } from '../support/models.ts'
import { customLstm, f32, writeSafetensors } from '../support/safetensors.ts'

const ROW = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4], [1, 1]]
const ATT = '/models/matching-networks/sequence'
const SUPPORT = [[1, 0, 0, 0], [0, 1, 0, 0], [0.5, -0.5, 0.25, 1]]

test('a sequence is its steps, the feedback being the policy\'s', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.post('/sequence').send({ x: [ROW] }).expect(200)
  let h = [0, 0, 0]
  let c = [0, 0, 0]
  for (const [i, x] of ROW.entries()) {
    const step = await request.post('/step').send({ x, h_in: [...h, ...h], c_in: c }).expect(200)
    h = step.body.h_out
    c = step.body.c_out
    assert.deepEqual(body.output[0][i], h)
  }
  assert.deepEqual(body.h_out, [h])
  assert.deepEqual(body.c_out, [c])
  assert.deepEqual(body.h_next, [[...h, ...h]])
})

test('h_next and c_out continue the sequence, by sequence or by step', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: whole } = await request.post('/sequence').send({ x: ROW }).expect(200)
  const { body: first } = await request.post('/sequence').send({ x: ROW.slice(0, 2) }).expect(200)
  const { body: second } = await request.post('/sequence').send({ x: ROW.slice(2), h_in: first.h_next, c_in: first.c_out }).expect(200)
  assert.deepEqual([...first.output, ...second.output], whole.output)
  assert.deepEqual(second.h_next, whole.h_next)
  const { body: step } = await request.post('/step').send({ x: ROW[2], h_in: first.h_next, c_in: first.c_out }).expect(200)
  assert.deepEqual(step.h_out, whole.output[2])
})

test('without a batch dimension in x the answer has none', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: rows } = await request.post('/sequence').send({ x: [ROW] }).expect(200)
  const { body: flat } = await request.post('/sequence').send({ x: ROW }).expect(200)
  assert.deepEqual({ output: [flat.output], h_out: [flat.h_out], c_out: [flat.c_out], h_next: [flat.h_next] }, rows)
})

test('lengths and ragged rows say the same, and leave zeros past a row\'s end', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: whole } = await request.post('/sequence').send({ x: [ROW] }).expect(200)
  const { body: short } = await request.post('/sequence').send({ x: [ROW.slice(0, 2)] }).expect(200)
  const { body: ragged } = await request.post('/sequence').send({ x: [ROW.slice(0, 2), ROW] }).expect(200)
  const { body: padded } = await request.post('/sequence').send({ x: [[...ROW.slice(0, 2), [9, 9], [9, 9]], ROW], lengths: [2, 4] }).expect(200)
  assert.deepEqual(padded, ragged)
  assert.deepEqual(ragged.output, [[...short.output[0], [0, 0, 0], [0, 0, 0]], whole.output[0]])
  assert.deepEqual(ragged.h_out, [short.h_out[0], whole.h_out[0]])
  assert.deepEqual(ragged.c_out, [short.c_out[0], whole.c_out[0]])
  assert.deepEqual(ragged.h_next, [short.h_next[0], whole.h_next[0]])
})

test('return_sequences: false answers each row\'s last output alone, the step axis still there', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: all } = await request.post('/sequence').send({ x: [ROW.slice(0, 1), ROW], return_sequences: true }).expect(200)
  const { body: last } = await request.post('/sequence').send({ x: [ROW.slice(0, 1), ROW], return_sequences: false }).expect(200)
  assert.deepEqual(last, { ...all, output: [[all.output[0][0]], [all.output[1][3]]] })
})

test('steps feeds the same x', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: spelled } = await request.post('/sequence').send({ x: [[ROW[0], ROW[0], ROW[0]], [ROW[1], ROW[1], ROW[1]]] }).expect(200)
  const { body: rows } = await request.post('/sequence').send({ x: [ROW[0], ROW[1]], steps: 3 }).expect(200)
  const { body: flat } = await request.post('/sequence').send({ x: ROW[0], steps: 3 }).expect(200)
  const { body: ranked } = await request.post('/sequence').send({ x: [[ROW[0]], [ROW[1]]], steps: 3 }).expect(200)
  assert.deepEqual(rows, spelled)
  assert.deepEqual(ranked, spelled)
  for (const [t, h] of flat.output.entries()) closeTo(h, spelled.output[0][t])
})

test('attention reads the support, and answers its parts on demand', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const x = [[0.5, -0.25, 1, 0], [0.1, 0.2, -1, 2]]
  const { body: plain } = await request.post(ATT).send({ x, steps: 4, context: { support: SUPPORT } }).expect(200)
  const { body: weighed } = await request.post(ATT).send({ x, steps: 4, context: { support: [SUPPORT, SUPPORT] }, parts: ['attention', 'read'] }).expect(200)
  assert.ok(!('parts' in plain))
  const { parts: { attention, read }, ...rest } = weighed
  assert.deepEqual(rest, plain)
  assert.deepEqual([attention.length, attention[0].length, attention[0][0].length], [2, 5, 3])
  for (const row of attention.flat()) assert.ok(Math.abs(row.reduce((a: number, b: number) => a + b) - 1) < 1e-6)
  assert.deepEqual([read.length, read[0].length, read[0][0].length], [2, 5, 4])
  // The last entry is what would feed the next step.
  assert.deepEqual(plain.h_next.map((row: number[]) => row.slice(0, 4)), plain.h_out)
  assert.deepEqual(plain.h_next.map((row: number[]) => row.slice(4)), read.map((row: number[][]) => row[4]))
  const { body: last } = await request.post(ATT).send({ x, steps: 4, context: { support: SUPPORT }, parts: ['attention', 'read'], return_sequences: false }).expect(200)
  assert.deepEqual(last.parts, { attention: attention.map((row: number[][]) => [row[4]]), read: read.map((row: number[][]) => [row[4]]) })
})

test('a given h_in is read as it is, so the parts of its step are zeros', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const body = { x: [0.5, -0.25, 1, 0], steps: 2, h_in: [1, 2, 3, 4, 5, 6, 7, 8], context: { support: SUPPORT }, parts: ['attention'] }
  const answer = await request.post(ATT).send(body).expect(200)
  assert.deepEqual(answer.body.parts.attention[0], [0, 0, 0])
  assert.notDeepEqual(answer.body.parts.attention[1], [0, 0, 0])
})

test('h_0 is the h that the first feedback sees', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: from } = await request.post('/sequence').send({ x: [ROW], h_0: [[0.1, 0.2, 0.3]] }).expect(200)
  const { body: spelled } = await request.post('/sequence').send({ x: [ROW], h_in: [[0.1, 0.2, 0.3, 0.1, 0.2, 0.3]] }).expect(200)
  assert.deepEqual(from, spelled)
})

test('the answer has the fields that are asked for, and no others', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: all } = await request.post('/sequence').send({ x: [ROW] }).expect(200)
  const { body: some } = await request.post('/sequence').send({ x: [ROW], fields: ['h_out', 'c_out'] }).expect(200)
  assert.deepEqual(some, { h_out: all.h_out, c_out: all.c_out })
  const { body: query } = await request.post('/sequence?fields=output,h_next').send({ x: [ROW] }).expect(200)
  assert.deepEqual(query, { output: all.output, h_next: all.h_next })
})

const WRONG: ReadonlyArray<[name: string, url: string, body: object, status: number, path: string, message: RegExp]> = [
  ['a single vector without steps', '/sequence', { x: [1, 2] }, 422, '/x', /say how often in steps/],
  ['steps beside a T axis', '/sequence', { x: [ROW], steps: 2 }, 422, '/steps', /x must be \[B\]\[1\]\[I\] or \[B\]\[I\], got 4 steps/],
  ['steps of 0', '/sequence', { x: [1, 2], steps: 0 }, 400, '/steps', />= 1, got 0/],
  ['steps of a billion', '/sequence', { x: [1, 2], steps: 1e9 }, 422, '/steps', /1000000000 steps, more than the 65536 allowed/],
  ['half a step', '/sequence', { x: [1, 2], steps: 1.5 }, 400, '/steps', /integer, got 1.5/],
  ['a length past T', '/sequence', { x: [ROW, ROW], lengths: [4, 5] }, 422, '/lengths/1', /expected 1 to 4 \(T\), got 5/],
  ['a length of 0', '/sequence', { x: [ROW, ROW], lengths: [0, 4] }, 422, '/lengths/0', /expected 1 to 4 \(T\), got 0/],
  ['too few lengths', '/sequence', { x: [ROW, ROW], lengths: [4] }, 422, '/lengths', /expected 2 lengths, one per row, got 1/],
  ['lengths beside ragged rows', '/sequence', { x: [ROW, ROW.slice(1)], lengths: [4, 3] }, 422, '/lengths', /ragged/],
  ['a row of another width', '/sequence', { x: [ROW, [[1, 2], [3]]] }, 422, '/x/1/1', /ragged/],
  ['a field of 0.1', '/sequence', { x: [ROW], return: 'last' }, 400, '/return', /is not a known field/],
  ['a field that answers do not have', '/sequence', { x: [ROW], fields: ['weights'] }, 400, '/fields/0', /expected one of output, y, h_out, c_out, h_next, state, parts, got the string "weights"/],
  ['a part that the model does not have', '/sequence', { x: [ROW], parts: ['read'] }, 422, '/parts/0', /there is no part "read"; the parts are h, c, gates/],
  ['an unknown part', ATT, { x: [1, 2, 3, 4], steps: 1, context: { support: SUPPORT }, parts: ['reed'] }, 422, '/parts/0', /there is no part "reed"; the parts are read, attention, h, c, gates/],
  ['a c of a GRU', '/models/gru/sequence', { x: [[[1, 2, 3]]], parts: ['h', 'c'] }, 422, '/parts/1', /there is no c: the cells are of kind gru, and only an lstm has one; the parts are h, gates/],
  ['an h_0 of another width', '/sequence', { x: [ROW], h_0: [[1, 2]] }, 422, '/h_0', /expected vectors of 3 numbers \(Ho\), got 2/],
  ['a context that the policy does not know', '/sequence', { x: [ROW], context: { vectors: [1] } }, 400, '/context/vectors', /not a known field/],
  ['a context that is no object', '/sequence', { x: [ROW], context: 7 }, 400, '/context', /must be object, got 7/],
  ['no support', ATT, { x: [1, 2, 3, 4], steps: 1 }, 400, '/context/support', /is required/],
  ['a support of another width', ATT, { x: [1, 2, 3, 4], steps: 1, context: { support: [[1, 2]] } }, 422, '/context/support', /expected vectors of 4 numbers, got 2/],
  ['a support of no vectors', ATT, { x: [1, 2, 3, 4], steps: 1, context: { support: [] } }, 422, '/context/support', /is empty/],
  ['a support that is ragged in its width', ATT, { x: [1, 2, 3, 4], steps: 1, context: { support: [[1, 2, 3, 4], [1, 2]] } }, 422, '/context/support/1', /ragged: has 2 numbers, but the first has 4/],
  ['a support for another batch', ATT, { x: [1, 2, 3, 4], steps: 1, context: { support: [SUPPORT, SUPPORT] } }, 422, '/context/support', /each of the 1 rows, got 2/],
  ['a support that is no tensor', ATT, { x: [1, 2, 3, 4], steps: 1, context: { support: [[1, null]] } }, 400, '/context/support/0/1', /expected a number/]
]

for (const [name, url, body, status, path, message] of WRONG) {
  test(`${name} is a ${status} that names the field`, async (t) => {
    const request = supertest((await buildTestApp(t)).server)
    const answer = await request.post(url).send(body).expect(status).expect('content-type', /^application\/problem\+json/)
    assert.equal(answer.body.errors[0].path, path)
    assert.match(answer.body.errors[0].message, message)
    if (status === 422) assert.match(answer.body.detail, /^model [a-z-]+: /)
  })
}

test('an overflow in a long batch names its row and step', async (t) => {
  const request = supertest((await buildTestApp(t, '--models', await overflowingModels(t))).server)
  const quiet = [0, 0]
  const { body } = await request.post('/sequence').send({ x: [[quiet, quiet, quiet], [quiet, [3e38, -3e38], quiet]] }).expect(422)
  assert.match(body.detail, /model overflowing: .*row 1, step 1: the arithmetic overflows float32/)
  await request.post('/sequence').send({ x: [[quiet, quiet, quiet]] }).expect(200)
})

test('a request of more steps than allowed is refused before it is computed', async (t) => {
  const request = supertest((await buildTestApp(t, '--max-steps', '7')).server)
  await request.post('/sequence').send({ x: [ROW, ROW.slice(0, 3)] }).expect(422)
  await request.post('/sequence').send({ x: [ROW] }).expect(200)
})

test('a y of h_last is answered once a row, with or without the steps, and in a stream beside the states', async (t) => {
  const request = supertest((await buildTestApp(t, '--models', 'test/fixtures/whole')).server)
  const sent = { ids: [[3, 1, 4, 1, 7], [5, 9]] }
  const { body: { output, y, ...states } } = await request.post('/models/ends/sequence').send(sent).expect(200)
  assert.deepEqual([y.length, y[0].length, y[1].length, y[0][0].length], [2, 1, 1, 3])
  const { body: last } = await request.post('/models/ends/sequence').send({ ...sent, return_sequences: false, fields: ['y'] }).expect(200)
  assert.deepEqual(last, { y })
  const { text } = await request.post('/models/ends/sequence').set('accept', 'application/x-ndjson').buffer(true).send(sent).expect(200)
  const lines = text.trimEnd().split('\n').map((line): unknown => JSON.parse(line))
  assert.deepEqual(lines, [...[0, 1, 2, 3, 4].map((t) => ({ t, output: output.map((row: number[][]) => row[t]) })), { ...states, y: y.map(([row]: number[][]) => row) }])
  // Each row's is its own, whatever runs beside it.
  const { body: alone } = await request.post('/models/ends/sequence').send({ ids: sent.ids[1] }).expect(200)
  assert.deepEqual(alone.y, y[1])
})

test('an overflow of a model that reads ids names them', async (t) => {
  const folder = await writeModels(t, {
    'm/model.safetensors': writeSafetensors({ ...customLstm(2, 3, 3, -4), 'input_linear.weight': f32([12, 2], new Array(24).fill(4)), table: f32([2, 2], [1, 1, 3e38, -3e38]) }),
    'm/config.json': '{"input": {"embedding": "table"}}'
  })
  const { body } = await supertest((await buildTestApp(t, '--models', folder)).server).post('/sequence').send({ ids: [[0, 0], [0, 1]] }).expect(422)
  assert.deepEqual(body.errors, [{ path: '/ids', message: 'row 1, step 1: the arithmetic overflows float32; the inputs are too large for these weights' }])
})
