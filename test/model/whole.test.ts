import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { loadModels } from '../../src/load.ts'
import type { SequenceAnswer, StepAnswer } from '../../src/model/answers.ts'
import type { SequenceRequest } from '../../src/model/request.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { testDeps } from '../support/app.ts'
import { tensorOf } from '../support/nested.ts'

/**
 * Models computed by PyTorch, and how many there are: with what stands in front of and behind their cells, see make_whole_models.py; and with what can be
 * seen of the cells, see make_part_fixtures.py.
 */
const FOLDERS = [['test/fixtures/whole', 7], ['test/fixtures/parts', 13]] as const
const TOLERANCE = 1e-5

/** Tensors as nested arrays, by name. */
type Nested = Readonly<Record<string, readonly unknown[]>>

interface Case {
  readonly operation: 'step' | 'sequence'
  readonly request: Readonly<Record<string, unknown>> & { readonly context?: Nested }
  readonly answer: { readonly parts?: Nested } & Nested
}

for (const [folder, count] of FOLDERS) {
  describe(`the models of ${folder}`, () => {
    const names = readdirSync(folder)
    let models: ReturnType<typeof loadModels> | undefined

    test('are all there', () => assert.equal(names.length, count))

    for (const name of names) {
      test(`${name} is what it is in PyTorch`, async (t) => {
        models ??= loadModels(folder, await testDeps())
        const model = (await models).find((each) => each.name === name)
        assert.ok(model !== undefined)
        const cases: Case[] = JSON.parse(readFileSync(`${folder}/${name}/cases.json`, 'utf8'))
        let worst = 0
        for (const { operation, request, answer } of cases) {
          const { parts = {}, ...fields } = answer
          const answered: StepAnswer | SequenceAnswer = await model[operation](read(request))
          for (const [field, expected] of Object.entries(fields)) worst = Math.max(worst, difference(field, new Map(Object.entries(answered)).get(field), expected))
          const found: ReadonlyMap<string, unknown> = new Map(Object.entries('parts' in answered ? answered.parts ?? {} : {}))
          assert.deepEqual([...found.keys()], Object.keys(parts))
          for (const [part, expected] of Object.entries(parts)) worst = Math.max(worst, difference(part, found.get(part), expected))
          assert.equal('y' in answered, 'y' in answer, 'y')
        }
        t.diagnostic(`largest difference ${worst.toExponential(1)}`)
        assert.ok(worst <= TOLERANCE, `differs by ${worst}`)
      })
    }
  })
}

/** A request as the wire reads it. */
function read ({ context, ...request }: Case['request']): SequenceRequest {
  const tensors = (fields: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, names.includes(name) && Array.isArray(value) ? tensorOf(value) : value]))
  return { ...tensors(request, ['x', 'h_in', 'c_in', 'h_0']), ...(context !== undefined && { context: tensors(context, ['support', 'vectors']) }) }
}

function difference (field: string, actual: unknown, nested: readonly unknown[]): number {
  assert.ok(actual instanceof Tensor, `${field} is not answered`)
  const expected = tensorOf(nested)
  assert.deepEqual(actual.shape, expected.shape, field)
  return actual.data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.data[i])), 0)
}
