import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp, startService, testEngine } from '../support/app.ts'
import { overflowingModels, writeModels } from '../support/models.ts'
import { customLstm, writeSafetensors } from '../support/safetensors.ts'
import { until } from '../support/until.ts'

const NDJSON = 'application/x-ndjson'
const X = [[[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4]], [[1, 1]]]

/** The lines of an answer; each is a whole document. */
function linesOf (text: string): unknown[] {
  assert.ok(text.endsWith('\n'))
  return text.trimEnd().split('\n').map((line): unknown => JSON.parse(line))
}

test('a sequence is streamed one step per line, and then its states', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: { output, ...states } } = await request.post('/sequence').send({ x: X }).expect(200)
  const { text } = await request.post('/sequence').set('accept', NDJSON).buffer(true).send({ x: X }).expect(200).expect('content-type', NDJSON)
  assert.deepEqual(linesOf(text), [...[0, 1, 2].map((t) => ({ t, output: [output[0][t], output[1][t]] })), states])
})

test('a step\'s line has the parts that were made after it', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const sent = { x: [1, 0, 0, 1], steps: 3, context: { support: [[1, 0, 0, 0], [0, 0, 0, 1]] }, parts: ['attention', 'read'] }
  const { body: { output, parts: { attention, read }, ...states } } = await request.post('/models/matching-networks/sequence').send(sent).expect(200)
  const { text } = await request.post('/models/matching-networks/sequence').set('accept', NDJSON).buffer(true).send(sent).expect(200)
  assert.deepEqual(linesOf(text), [...[0, 1, 2].map((t) => ({ t, output: output[t], parts: { attention: attention[t + 1], read: read[t + 1] } })), states])
})

test('of the last steps alone there is one line', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: { output, ...states } } = await request.post('/sequence').send({ x: X, return_sequences: false }).expect(200)
  const { text } = await request.post('/sequence').set('accept', NDJSON).buffer(true).send({ x: X, return_sequences: false }).expect(200)
  assert.deepEqual(linesOf(text), [states])
  assert.deepEqual(output, states.h_out.map((row: number[]) => [row]))
})

test('a failure before the first line has its status, one after it is the last line', async (t) => {
  const request = supertest((await buildTestApp(t, '--models', await overflowingModels(t))).server)
  const stream = (x: number[][]): supertest.Test => request.post('/sequence').set('accept', NDJSON).buffer(true).send({ x })
  const huge = [3e38, -3e38]
  const early = await stream([huge, huge]).expect(422).expect('content-type', /problem\+json/)
  assert.match(early.body.detail, /row 0, step 0: the arithmetic overflows/)

  const { text } = await stream([[1, 1], [0, 1], huge, [1, 1]]).expect(200)
  const lines = linesOf(text)
  assert.equal(lines.length, 3)
  const { error } = { error: undefined, ...Object(lines[2]) }
  assert.equal(error.status, 422)
  assert.match(error.detail, /model overflowing: \/x: row 0, step 2: the arithmetic overflows/)
  const { text: metrics } = await request.get('/metrics').expect(200)
  assert.match(metrics, /cellserve_rejected_total\{reason="unprocessable"\} 2/)
})

test('rows of a client that does not read wait, others are answered, and nothing is lost', async (t) => {
  if ((await testEngine()).name !== 'native') return t.skip('takes too long on TensorFlow.js')
  const Ho = 64
  const T = 60_000
  const models = await writeModels(t, { 'wide.safetensors': writeSafetensors(customLstm(1, Ho, Ho, 0.01)) })
  const { app, admission } = await startService(t, '--models', models)
  const url = app.listeningOrigin
  const stepsComputed = async (): Promise<number> => Number(/^cellserve_steps_total\{model="[\w-]+"\} (\d+)/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1])
  const post = (signal?: AbortSignal): Promise<Response> => fetch(`${url}/sequence`, {
    method: 'POST',
    headers: { accept: NDJSON, 'content-type': 'application/json' },
    body: JSON.stringify({ x: [0.5], steps: T }),
    ...(signal !== undefined && { signal })
  })

  const answer = await post()
  assert.equal(answer.status, 200)
  // About 700 bytes per line: the buffers of the sockets hold some megabytes, but not forty.
  let computed = -1
  for (let now = await stepsComputed(); now !== computed; now = await stepsComputed()) {
    computed = now
    await setTimeout(100)
  }
  assert.ok(computed < T, `${computed} of ${T} steps were computed while nobody read`)
  assert.equal(admission.rows, 1)
  await supertest(url).post('/step').send({ x: [1] }).expect(200)

  const lines = linesOf(await answer.text())
  assert.equal(lines.length, T + 1)
  const last = { h_out: undefined, ...Object(lines[T]) }
  assert.deepEqual(lines[T - 1], { t: T - 1, output: last.h_out })
  const { body } = await supertest(url).post('/sequence').send({ x: [0.5], steps: T, return_sequences: false }).expect(200)
  assert.deepEqual(last, { h_out: body.h_out, c_out: body.c_out, h_next: body.h_next })
  assert.equal(admission.rows, 0)

  // If a client leaves in the middle, its rows leave too.
  const controller = new AbortController()
  await post(controller.signal)
  assert.equal(admission.rows, 1)
  controller.abort()
  await until(() => admission.rows === 0, 'its rows leave')
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})

test('a client that never reads is let go some time after its deadline, be its answer lines or not', async (t) => {
  if ((await testEngine()).name !== 'native') return t.skip('takes too long on TensorFlow.js')
  const models = await writeModels(t, { 'wide.safetensors': writeSafetensors(customLstm(1, 64, 64, 0.01)) })
  const { app, admission } = await startService(t, '--models', models)
  const answers = await Promise.all([[NDJSON, 60_000], ['application/json', 2 ** 14]].map(async ([accept, steps]) => await fetch(`${app.listeningOrigin}/sequence`, {
    method: 'POST',
    headers: { accept: String(accept), 'content-type': 'application/json', 'x-request-timeout': '4' },
    body: JSON.stringify({ x: [0.5], steps })
  })))
  assert.deepEqual(answers.map(({ status }) => status), [200, 200])
  assert.equal(admission.rows, 1)
  await until(() => admission.rows === 0, 'its rows leave at the deadline')
  assert.ok(admission.bytes > 4 * 64 * 2 ** 14, 'what is computed is held for as long as it may be read')
  const connections = async (): Promise<number> => await new Promise((resolve, reject) => app.server.getConnections((error, count) => error === null ? resolve(count) : reject(error)))
  assert.equal(await connections(), 2)
  await until(async () => await connections() === 0, 'both are cut')
  await until(() => admission.bytes === 0, 'nothing is held for them')
  for (const answer of answers) await assert.rejects(answer.text())
})
