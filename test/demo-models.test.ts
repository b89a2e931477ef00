import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import supertest from 'supertest'
import { buildTestApp, testEngine } from './support/app.ts'
import { writeModels } from './support/models.ts'

/** What PyTorch computes with the demo models: see make_demo_fixtures.py there. */
const FOLDER = 'test/fixtures/demo'
const TOLERANCE = 1e-5

interface Case {
  readonly request: object
  readonly answer: { readonly parts?: object }
}

const names = readdirSync('models', { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name).sort()

describe('the demo models', () => {
  test('are those that have fixtures, and all are served', async (t) => {
    assert.deepEqual(readdirSync(FOLDER).sort(), names.map((name) => `${name}.json`))
    const { body } = await supertest((await buildTestApp(t)).server).get('/models').expect(200)
    assert.deepEqual(body.models.map(({ name }: { name: string }) => name).sort(), names)
  })

  for (const name of names) {
    test(`${name} answers what PyTorch computes`, async (t) => {
      const server = supertest((await buildTestApp(t)).server)
      const cases: Case[] = JSON.parse(readFileSync(`${FOLDER}/${name}.json`, 'utf8'))
      assert.ok(cases.length > 0)
      for (const { request, answer } of cases) {
        const parts = answer.parts === undefined ? {} : { parts: Object.keys(answer.parts) }
        const { body } = await server.post(`/models/${name}/sequence`).send({ ...request, ...parts }).expect(200)
        assert.deepEqual(Object.keys(body).filter((field) => field !== 'h_next').sort(), Object.keys(answer).filter((field) => field !== 'h_next').sort())
        const worst = difference(body, answer)
        t.diagnostic(`largest difference ${worst.toExponential(1)}`)
        assert.ok(worst <= TOLERANCE, `differs by ${worst}`)
      }
    })
  }

  for (const [weights, bound] of [['bf16', 0.02], ['int8', 0.05]] as const) {
    test(`answer about the same with "weights": "${weights}"`, async (t) => {
      const held = await buildTestApp(t, '--models', await withWeights(t, weights))
      const server = supertest(held.server)
      const { body: { models } } = await server.get('/models').expect(200)
      const { body: { models: floats } } = await supertest((await buildTestApp(t)).server).get('/models').expect(200)
      const rounds = (await testEngine()).name === 'native'
      for (const [i, model] of models.entries()) {
        assert.equal(model.weights, weights)
        assert.equal(floats[i].weights, 'f32')
        assert.ok(rounds ? model.weight_bytes < floats[i].weight_bytes : model.weight_bytes === floats[i].weight_bytes, model.name)
        assert.notEqual(model.version, floats[i].version)
      }
      for (const name of names) {
        const [{ request, answer }]: Case[] = JSON.parse(readFileSync(`${FOLDER}/${name}.json`, 'utf8'))
        const { body } = await server.post(`/models/${name}/sequence`).send({ ...request, ...(answer.parts !== undefined && { parts: Object.keys(answer.parts) }) }).expect(200)
        const worst = difference(body, answer)
        t.diagnostic(`${name}: largest difference ${worst.toExponential(1)}`)
        assert.ok(worst > TOLERANCE && worst < bound, `${name} differs by ${worst}`)
      }
    })
  }

  test('take fewer bytes for their matrices, and as many for the rest', async (t) => {
    if ((await testEngine()).name !== 'native') return t.skip('TensorFlow.js holds all as float32')
    const bytes = async (weights: 'bf16' | 'int8'): Promise<unknown> => {
      const { server } = await buildTestApp(t, '--models', await withWeights(t, weights))
      return (await supertest(server).get('/models/attention-decoder')).body.weight_bytes
    }
    // W_ih [16, 8], W_hh [16, 4], query [6, 4], key [6, 5]; the biases of these, and v.
    const [matrices, rows, vectors] = [16 * 8 + 16 * 4 + 6 * 4 + 6 * 5, 16 + 16 + 6 + 6, 16 + 16 + 6 + 6 + 6]
    assert.equal(await bytes('bf16'), 2 * matrices + 4 * vectors)
    assert.equal(await bytes('int8'), matrices + 4 * rows + 4 * vectors)
  })
})

/** The demo models, each in a folder of its own, held so. */
async function withWeights (t: TestContext, weights: string): Promise<string> {
  return await writeModels(t, Object.fromEntries(names.flatMap((name) => {
    const config: unknown = existsSync(`models/${name}/config.json`) ? JSON.parse(readFileSync(`models/${name}/config.json`, 'utf8')) : {}
    return [[`${name}/model.safetensors`, readFileSync(`models/${name}/model.safetensors`)], [`${name}/config.json`, JSON.stringify({ ...Object(config), weights })]]
  })))
}

/** The largest difference between two nested values, of whatever `expected` has. */
function difference (found: unknown, expected: unknown): number {
  if (typeof expected === 'number') {
    assert.equal(typeof found, 'number')
    return Math.abs(Number(found) - expected)
  }
  if (Array.isArray(expected)) assert.equal(Array.isArray(found) ? found.length : undefined, expected.length)
  return Math.max(0, ...Object.entries(Object(expected)).map(([key, value]) => difference(Object(found)[key], value)))
}
