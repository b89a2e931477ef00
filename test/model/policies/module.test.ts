import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { moduleFile } from '../../../src/model/policies/module.ts'
import { InputError } from '../../../src/errors.ts'

const SIZES = { I: 1, Hi: 3, Ho: 2 }
const SHAPE = { rows: 2, steps: 2, lengths: [2, 2], batched: true }

async function loadPolicy (t: TestContext, source: string) {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'feedback.mjs'), source)
  return await moduleFile.create({ policy: 'module' }, { sizes: SIZES, folder, tensor: () => { throw new Error('no tensors here') } })
}

test('the module makes h_in of h, its context, the row and the step', async (t) => {
  const policy = await loadPolicy(t, `
    export const context = { type: 'object', properties: { gain: { type: 'number' } }, required: ['gain'], additionalProperties: false }
    export function feedback ({ h, context, row, t, sizes }) {
      h[0] *= context.gain
      return [...h, row * 10 + t + sizes.Hi]
    }`)
  const feedback = policy.bind({ gain: 2 }, SHAPE)
  const h = Float32Array.of(9, 9, 1, 2)
  const hIn = new Float32Array(6)
  feedback.next(1, 1, h, 2, hIn, 3)
  assert.deepEqual([...hIn], [0, 0, 0, 2, 2, 14])
  assert.deepEqual([...h], [9, 9, 1, 2], 'what the module does to its h stays its own')
})

test('a context that the module\'s schema refuses is a refusal that names the field', async (t) => {
  const policy = await loadPolicy(t, `
    export const context = { type: 'object', properties: { gain: { type: 'number' } }, required: ['gain'] }
    export const feedback = () => [0, 0, 0]`)
  assert.throws(() => policy.bind({}, SHAPE), { name: 'InputError', kind: 'malformed', message: '/context/gain: is required' })
  assert.throws(() => policy.bind({ gain: 'x' }, SHAPE), /\/context\/gain: must be number, got the string "x"/)
})

const BROKEN: ReadonlyArray<[name: string, body: string, message: RegExp]> = [
  ['throws', 'throw new Error("secret")', /threw an error, for step 1$/],
  ['returns too few', 'return [1, 2]', /returned 2 numbers, expected 3/],
  ['returns too many', 'return new Float32Array(4)', /returned 4 numbers, expected 3/],
  ['returns nothing', '', /returned undefined, expected 3/],
  ['returns a promise', 'return Promise.resolve([1, 2, 3])', /returned a promise/],
  ['returns a promise that is rejected', 'return Promise.reject(new Error("secret"))', /returned a promise/],
  ['returns what is rejected as a promise is', 'return { then (_, reject) { reject(new Error("secret")) } }', /returned a promise/],
  ['changes the sizes', '"use strict"; arguments[0].sizes.Hi = 99', /threw an error, for step 1$/],
  ['returns text', 'return [1, "2", 3]', /returned 2 at 1/],
  ['returns a NaN', 'return [1, 2, NaN]', /returned NaN at 2/],
  ['returns more than a float32 holds', 'return [1, 2, 1e39]', /returned 1e\+39 at 2/]
]

for (const [name, body, message] of BROKEN) {
  test(`a module that ${name} fails the request and keeps its own words to the log`, async (t) => {
    const policy = await loadPolicy(t, `export function feedback () { ${body} }`)
    assert.throws(() => policy.bind(undefined, SHAPE).next(0, 1, new Float32Array(4), 0, new Float32Array(6), 0), (error) => {
      assert.ok(error instanceof InputError)
      assert.equal(error.kind, 'failed')
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /secret/)
      return true
    })
  })
}

test('a module that does not load, or exports no feedback, stops the start', async (t) => {
  await assert.rejects(loadPolicy(t, 'export const feedback = 7'), /feedback\.mjs: expected an exported function named feedback/)
  await assert.rejects(loadPolicy(t, 'export const ='), /feedback\.mjs: cannot be loaded/)
  await assert.rejects(async () => await moduleFile.create({ policy: 'module' }, { sizes: SIZES, folder: undefined, tensor: () => { throw new Error('none') } }),
    /own folder/)
})
