import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp } from './support/app.ts'

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
})

/** The largest difference between two nested values, of whatever `expected` has. */
function difference (found: unknown, expected: unknown): number {
  if (typeof expected === 'number') {
    assert.equal(typeof found, 'number')
    return Math.abs(Number(found) - expected)
  }
  if (Array.isArray(expected)) assert.equal(Array.isArray(found) ? found.length : undefined, expected.length)
  return Math.max(0, ...Object.entries(Object(expected)).map(([key, value]) => difference(Object(found)[key], value)))
}
