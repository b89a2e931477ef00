import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { moduleFile } from '../../../src/model/policies/module.ts'
import type { Host } from '../../../src/scheduler/task.ts'
import { InputError } from '../../../src/errors.ts'
import { bareLayers, randomCell } from '../../support/reference.ts'

const SIZES = { I: 1, Hi: 3, Ho: 2 }
const LAYERS = bareLayers(randomCell(SIZES.I, SIZES.Hi, SIZES.Ho))

async function loadPolicy (t: TestContext, source: string) {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'feedback.mjs'), source)
  return await moduleFile.create({ policy: 'module' }, { layers: LAYERS, folder, tensor: () => { throw new Error('no tensors here') } })
}

/** Takes up a request of two rows, of which row 1 has written `[1, 2]`. */
async function open (t: TestContext, source: string, context: unknown): Promise<{ feed: Host, hIn: Float32Array, h: Float32Array }> {
  const { host } = await loadPolicy(t, source)
  assert.ok(host !== undefined)
  const h = Float32Array.of(1, 2)
  const hIn = new Float32Array(3)
  const slices = new Map([['h0', h], ['h_in', hIn]])
  const state = (row: number, name: string): Float32Array => (row === 1 ? slices.get(name) : undefined) ?? new Float32Array(3)
  return { feed: host(context, { rows: 2, state, x: () => new Float32Array(1) }), hIn, h }
}

test('the module makes h_in of h, its context, the row and the step', async (t) => {
  const { feed, h, hIn } = await open(t, `
    export const context = { type: 'object', properties: { gain: { type: 'number' } }, required: ['gain'], additionalProperties: false }
    export function feedback ({ h, context, row, t, sizes }) {
      h[0] *= context.gain
      return [...h, row * 10 + t + sizes.Hi]
    }`, { gain: 2 })
  await feed([1], [1])
  assert.deepEqual([...hIn], [2, 2, 14])
  assert.deepEqual([...h], [1, 2], 'what the module does to its h stays its own')
})

test('a context that the module\'s schema refuses is a refusal that names the field', async (t) => {
  const source = `
    export const context = { type: 'object', properties: { gain: { type: 'number' } }, required: ['gain'] }
    export const feedback = () => [0, 0, 0]`
  await assert.rejects(open(t, source, {}), { name: 'InputError', kind: 'malformed', message: '/context/gain: is required' })
  await assert.rejects(open(t, source, { gain: 'x' }), /\/context\/gain: must be number, got the string "x"/)
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
    const { feed } = await open(t, `export function feedback () { ${body} }`, undefined)
    assert.throws(() => feed([0], [1]), (error) => {
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
  await assert.rejects(async () => await moduleFile.create({ policy: 'module' }, { layers: LAYERS, folder: undefined, tensor: () => { throw new Error('none') } }),
    /own folder/)
})
