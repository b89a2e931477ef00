import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { loadModels } from '../../src/load.ts'
import type { SequenceRequest } from '../../src/model/request.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { testDeps } from '../support/app.ts'
import { tensorOf } from '../support/nested.ts'

/** Recurrences that others have published, computed by PyTorch from their equations: see make_recurrences.py there. */
const FOLDER = 'test/fixtures/recurrences'
const PAGE = 'docs/recurrences.md'
const TOLERANCE = 1e-5

/** Tensors as nested arrays, by name. */
type Nested = Readonly<Record<string, readonly unknown[]>>

interface Case {
  readonly request: Readonly<Record<string, unknown>> & { readonly context?: Nested }
  readonly answer: { readonly parts?: Nested } & Nested
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

/** The models that each configuration of the page is said to be of. */
function configurations (): Array<{ models: string[], config: unknown }> {
  const blocks = [...readFileSync(PAGE, 'utf8').matchAll(/^(.*?)^```json\n(.*?)^```$/gms)]
  return blocks.map(([, before, config]) => ({
    models: [...before.matchAll(/\]\(\.\.\/test\/fixtures\/recurrences\/([\w-]+)\)/g)].map(([, name]) => name).filter((name) => existsSync(`${FOLDER}/${name}/config.json`)),
    config: JSON.parse(config)
  }))
}

describe(PAGE, () => {
  test('has every recurrence that has a configuration', () => {
    const shown = configurations().flatMap(({ models }) => models)
    assert.deepEqual(shown.sort(), names.filter((name) => existsSync(`${FOLDER}/${name}/config.json`)).sort())
  })

  for (const { models, config } of configurations()) {
    test(`has the configuration of ${models.join(', ')}`, () => {
      assert.ok(models.length > 0)
      for (const name of models) assert.deepEqual(config, JSON.parse(readFileSync(`${FOLDER}/${name}/config.json`, 'utf8')), name)
    })
  }

  test('links within itself lead somewhere', () => {
    const text = readFileSync(PAGE, 'utf8')
    const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title.toLowerCase().replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-'))
    for (const [, target] of text.matchAll(/\]\(#([^)]+)\)/g)) assert.ok(anchors.includes(target), target)
  })
})

/** A request as the wire reads it. */
function read ({ context = {}, ...request }: Case['request']): SequenceRequest {
  const tensors = (fields: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, names.includes(name) && Array.isArray(value) ? tensorOf(value) : value]))
  return { ...tensors(request, ['x', 'h_in', 'c_in', 'h_0']), context: tensors(context, ['support', 'vectors']) }
}

function difference (field: string, actual: unknown, nested: readonly unknown[]): number {
  assert.ok(actual instanceof Tensor, `${field} is not answered`)
  const expected = tensorOf(nested)
  assert.deepEqual(actual.shape, expected.shape, field)
  return actual.data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.data[i])), 0)
}
