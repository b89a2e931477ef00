import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import supertest from 'supertest'
import { PRECISIONS } from '../../src/network/precision.ts'
import { buildTestApp } from '../support/app.ts'
import { overflowingModels, writeModels } from '../support/models.ts'
import { f32, store, writeSafetensors, type Written } from '../support/safetensors.ts'
import { openSocket } from '../support/sockets.ts'

/** Adds up to infinity minus infinity. */
const TOO_LARGE = [3e38, -3e38]
const QUIET = [0.1, 0.2]
const REASON = 'the arithmetic overflows float32; the inputs are too large for these weights'

for (const precision of PRECISIONS) {
  describe(`what overflows float32 with weights as ${precision} is refused, and hurts nobody else`, () => {
    test('in a step and in a sequence, as JSON', async (t) => {
      const request = supertest((await buildTestApp(t, '--models', await overflowingModels(t, precision))).server)
      const { body: { models: [model] } } = await request.get('/models').expect(200)
      assert.equal(model.weights, precision)
      for (const [path, good, bad, where] of [
        ['/step', { x: [QUIET] }, { x: [QUIET, TOO_LARGE] }, 'row 1, step 0'],
        ['/sequence', { x: [[QUIET, QUIET]] }, { x: [[QUIET, QUIET], [QUIET, TOO_LARGE]] }, 'row 1, step 1']
      ] as const) {
        const { body: before } = await request.post(path).send(good).expect(200)
        const [{ body: problem }, { body: beside }] = await Promise.all([request.post(path).send(bad).expect(422), request.post(path).send(good).expect(200)])
        assert.deepEqual(problem.errors, [{ path: '/x', message: `${where}: ${REASON}` }])
        assert.deepEqual(beside, before)
      }
    })

    test('in lines, which end with the error, behind the steps before it', async (t) => {
      const request = supertest((await buildTestApp(t, '--models', await overflowingModels(t, precision))).server)
      const { text } = await request.post('/sequence').set('accept', 'application/x-ndjson').buffer(true).send({ x: [[QUIET, QUIET, TOO_LARGE]] })
      const lines: Array<Record<string, unknown>> = text.trimEnd().split('\n').map((line) => JSON.parse(line))
      assert.match(JSON.stringify(lines.at(-1)), new RegExp(`row 0, step 2: ${REASON}`))
      assert.deepEqual(lines.slice(0, -1).map((line) => line.t), [0, 1].slice(0, lines.length - 1))
      assert.doesNotMatch(text, /NaN|Infinity|"output":[^}]*null/)
    })

    test('in a session and over a WebSocket, whose row stays where it was', async (t) => {
      const app = await buildTestApp(t, '--models', await overflowingModels(t, precision))
      const client = await openSocket(t, app, '/models/overflowing/stream')
      const request = supertest(app.server)
      const { headers: { location } } = await request.post('/models/overflowing/sessions').send({}).expect(201)
      const { output } = await client.ask({ x: QUIET })
      const { body: first } = await request.post(`${location}/step`).send({ x: QUIET }).expect(200)
      assert.deepEqual(first.output, output)
      const problem = await client.ask({ x: TOO_LARGE })
      assert.equal(problem.status, 422)
      assert.match(String(problem.detail), new RegExp(REASON))
      await request.post(`${location}/step`).send({ x: TOO_LARGE }).expect(422)
      const { body: second } = await request.post(`${location}/step`).send({ x: QUIET }).expect(200)
      assert.equal(second.t, 2)
      assert.deepEqual((await client.ask({ x: QUIET })).output, second.output)
    })
  })
}

test('int8 overflows sooner, because its scale comes last, and is refused in the same words', async (t) => {
  for (const precision of PRECISIONS) {
    const request = supertest((await buildTestApp(t, '--models', await overflowingModels(t, precision))).server)
    const { body } = await request.post('/step').send({ x: [[1e37, 0]] }).expect(precision === 'int8' ? 422 : 200)
    if (precision === 'int8') assert.deepEqual(body.errors, [{ path: '/x', message: `row 0, step 0: ${REASON}` }])
  }
})

/** The largest float32, which rounds to infinity as a bfloat16, and the largest bfloat16. */
const LARGEST = 2 ** 128 - 2 ** 104
const LARGEST_BF16 = 2 ** 128 - 2 ** 120
const SMALL = 2 ** -120

/** A relu of `W_ih x + 0.5`: what a matrix holds can be read off its answers. */
async function answersOf (t: Pick<Parameters<typeof writeModels>[0], 'after'>, weights: string, matrix: Written, x: readonly number[]): Promise<number[]> {
  const rows = matrix.shape[0]
  const folder = await writeModels(t, {
    'm/model.safetensors': writeSafetensors({ weight_ih: matrix, weight_hh: f32([rows, rows], new Array(rows * rows).fill(0)), bias_ih: f32([rows], new Array(rows).fill(0.5)) }),
    'm/config.json': JSON.stringify({ weights, cell: { kind: 'rnn', activation: 'relu' } })
  })
  const { body } = await supertest((await buildTestApp(t, '--models', folder)).server).post('/step').send({ x: [x] }).expect(200)
  return body.h_out[0]
}

test('weights next to the largest float32 are held as the largest number of their kind, never as infinity', async (t) => {
  const expected = { f32: LARGEST, bf16: LARGEST_BF16, int8: 127 * Math.fround(LARGEST / 127) }
  for (const precision of PRECISIONS) {
    const [most, next, least] = await answersOf(t, precision, f32([3, 1], [LARGEST, LARGEST_BF16, -LARGEST]), [SMALL])
    assert.equal(most, Math.fround(expected[precision] * SMALL + 0.5), precision)
    assert.equal(next, Math.fround((precision === 'int8' ? 127 * Math.fround(LARGEST_BF16 / 127) : LARGEST_BF16) * SMALL + 0.5), precision)
    assert.equal(least, 0)
  }
  for (const precision of ['f32', 'bf16'] as const) {
    assert.deepEqual(await answersOf(t, precision, store('BF16', [1, 1], [LARGEST_BF16]), [SMALL]), [Math.fround(LARGEST_BF16 * SMALL + 0.5)])
  }
})

test('rows of zeros alone are zeros, whatever holds them', async (t) => {
  for (const precision of PRECISIONS) {
    assert.deepEqual(await answersOf(t, precision, f32([3, 2], [0, 0, 1, 1, -0, 0]), [3, 4]), [0.5, 7.5, 0.5], precision)
  }
})
