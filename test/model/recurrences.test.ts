import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { loadModels } from '../../src/load.ts'
import type { SequenceRequest } from '../../src/model/request.ts'
import { readTensor, Tensor } from '../../src/tensor/tensor.ts'
import { testDeps } from '../support/app.ts'

/** Recurrences that others have published, computed by PyTorch from their equations: see make_recurrences.py there. */
const FOLDER = 'test/fixtures/recurrences'
const TOLERANCE = 1e-5

interface Case {
  readonly request: Readonly<Record<string, unknown>>
  readonly answer: Answer
}

/** Tensors as nested arrays, by name; `parts` has some of its own. */
interface Answer {
  readonly [field: string]: unknown
  readonly parts?: Readonly<Record<string, unknown>>
}

const names = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name)
let models: ReturnType<typeof loadModels> | undefined

describe('published recurrences', () => {
  test('are all there', () => assert.equal(names.length, 19))

  for (const name of names) {
    test(`${name} is what its equations say in PyTorch`, async (t) => {
      models ??= loadModels(FOLDER, await testDeps())
      const model = (await models).find((each) => each.name === name)
      assert.ok(model !== undefined)
      const cases: Case[] = JSON.parse(readFileSync(`${FOLDER}/${name}/cases.json`, 'utf8'))
      let worst = 0
      for (const { request, answer } of cases) {
        const { parts = {}, ...fields } = answer
        const answered = await model.sequence(read(request))
        for (const [field, expected] of Object.entries(fields)) worst = Math.max(worst, difference(field, new Map(Object.entries(answered)).get(field), expected))
        assert.deepEqual(Object.keys(answered.parts ?? {}), Object.keys(parts))
        for (const [part, expected] of Object.entries(parts)) worst = Math.max(worst, difference(part, answered.parts?.[part], expected))
      }
      t.diagnostic(`largest difference ${worst.toExponential(1)}`)
      assert.ok(worst <= TOLERANCE, `differs by ${worst}`)
    })
  }
})

const TENSORS = ['x', 'h_in', 'c_in', 'h_0']

/** A request as the JSON reader makes it. */
function read (request: Case['request']): SequenceRequest {
  return Object.fromEntries(Object.entries(request).map(([name, value]) => [name, TENSORS.includes(name) ? readTensor(value, `/${name}`, { ranks: [2, 3], ragged: true }) : value]))
}

function difference (field: string, actual: unknown, nested: unknown): number {
  assert.ok(actual instanceof Tensor, `${field} is not answered`)
  const expected = readTensor(nested, field, { ranks: [2, 3] })
  assert.deepEqual(actual.shape, expected.shape, field)
  return actual.data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.data[i])), 0)
}
