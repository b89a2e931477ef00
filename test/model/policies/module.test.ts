import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { InputError } from '../../../src/errors.ts'
import { createModel, type Model } from '../../../src/model/model.ts'
import { createContexts } from '../../../src/model/policies/module/contexts.ts'
import { createPolicy } from '../../../src/model/policies/policies.ts'
import type { Hosting } from '../../../src/model/policies/policy.ts'
import type { SequenceRequest } from '../../../src/model/request.ts'
import { unboundCall } from '../../../src/model/call.ts'
import { Tensor } from '../../../src/tensor/tensor.ts'
import { testDeps, testHosting } from '../../support/app.ts'
import { closeTo } from '../../support/close.ts'
import { FULL, onlyFull, some } from '../../support/full.ts'
import { drawCell } from '../../support/networks.ts'
import { createRandom, randomFloats } from '../../support/random.ts'
import { bareLayers } from '../../support/reference.ts'

const SIZES = { I: 1, Hi: 3, Ho: 2 }

interface Options {
  readonly sizes?: typeof SIZES
  readonly tensors?: Readonly<Record<string, Tensor>>
  readonly hosting?: Partial<Hosting>
}

async function policyOf (t: TestContext, source: string, { sizes = SIZES, tensors = {}, hosting }: Options = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'feedback.mjs'), source)
  const policy = await createPolicy({ policy: 'module' }, {
    layers: bareLayers(drawCell({ I: sizes.I, Hi: sizes.Hi, Ho: sizes.Ho }, createRandom(1))),
    folder,
    tensor: () => { throw new Error('no tensors here') },
    tensors: () => Object.entries(tensors),
    // The machine may be busy: a second is soon over there.
    hosting: testHosting({ timeout: 20, ...hosting })
  })
  t.after(() => policy.policy.close?.())
  return policy
}

/** A model with this feedback.mjs; I = 1, Hi = 3, Ho = 2 if nothing else is said. */
async function modelOf (t: TestContext, source: string, options: Options = {}): Promise<Model> {
  const { I, Hi, Ho } = options.sizes ?? SIZES
  const policy = await policyOf(t, source, options)
  return await createModel({ name: 'test', version: '1', layers: bareLayers(drawCell({ I, Hi, Ho }, createRandom(1))), policy }, await testDeps())
}

function random (...shape: number[]): Tensor {
  return new Tensor(shape, randomFloats(shape.reduce((a, b) => a * b), createRandom(shape.length)))
}

/** Row by row and step by step, by the bare cell: `h_in` is made by `feed`. */
async function byHand (model: Model, x: Tensor, row: number, steps: number, feed: (h: number[], c: number[], x: number | undefined, t: number) => number[]) {
  let h = [0, 0]
  let c = [0, 0]
  const xAt = (t: number): number | undefined => t < steps ? x.data[row * x.shape[1] + t] : undefined
  for (let t = 0; t < steps; t++) {
    const step = await model.step({
      x: new Tensor([1], Float32Array.of(xAt(t) ?? NaN)),
      h_in: new Tensor([3], Float32Array.from(feed(h, c, xAt(t), t))),
      c_in: new Tensor([2], Float32Array.from(c))
    })
    h = [...step.h_out.data]
    c = [...step.c_out?.data ?? []]
  }
  return { h, next: () => feed(h, c, undefined, steps) }
}

const rowOf = ({ data, shape }: Tensor, row: number): number[] => [...data.subarray(row * data.length / shape[0], (row + 1) * data.length / shape[0])]

const failsWith = (message: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof InputError)
  assert.equal(error.kind, 'failed')
  assert.match(error.message, message)
  return true
}

test('the module makes h_in of h, c, its context, the row and the step', async (t) => {
  const model = await modelOf(t, `
    export const context = { type: 'object', properties: { gain: { type: 'number' } }, required: ['gain'], additionalProperties: false }
    export const feedback = ({ h, c, context, row, t, sizes }) => [h[0] * context.gain, c[1], h[1] + row + t / 10 + sizes.Hi]`)
  const x = random(2, 4, 1)
  const answer = await model.sequence({ x, lengths: [4, 3], context: { gain: 2 } })
  assert.ok(answer.h_next)
  for (const [row, steps] of [[0, 4], [1, 3]]) {
    const { h, next } = await byHand(model, x, row, steps, (h, c, _, t) => [2 * h[0], c[1], h[1] + row + t / 10 + 3])
    closeTo(rowOf(answer.h_out, row), h)
    closeTo(rowOf(answer.h_next, row), next())
  }
})

test('it reads the x of the step; past the end only a request that repeats x has one, so h_next may be left out', async (t) => {
  const model = await modelOf(t, 'export const feedback = ({ h, x, t }) => [...h, x[0] * (t + 1)]')
  const x = random(2, 3, 1)
  const answer = await model.sequence({ x })
  assert.equal(answer.h_next, undefined)
  for (const row of [0, 1]) closeTo(rowOf(answer.h_out, row), (await byHand(model, x, row, 3, (h, _, x = NaN, t) => [...h, x * (t + 1)])).h)

  const repeated = await model.sequence({ x: new Tensor([1], Float32Array.of(0.5)), steps: 3 })
  closeTo([...repeated.h_next?.data ?? []], [...repeated.h_out.data, 0.5 * 4])
})

test('h_next is there if x is not read, and if it is read for some rows alone it is not', onlyFull('starts processes'), async (t) => {
  const model = await modelOf(t, 'export const feedback = (step) => [...step.h, step.row === 1 ? step.x[0] : 0]')
  const x = random(1, 3, 1)
  assert.ok((await model.sequence({ x })).h_next)
  assert.equal((await model.sequence({ x: random(2, 3, 1) })).h_next, undefined)
})

test('it may catch what x throws: the step before is kept, the next is unknown', onlyFull('starts processes'), async (t) => {
  const model = await modelOf(t, 'export const feedback = (step) => { try { return [...step.h, step.x[0]] } catch { return [9, 9, 9] } }')
  assert.equal((await model.sequence({ x: random(1, 3, 1) })).h_next, undefined)
})

test('a given h_in takes the place of the first call', onlyFull('starts processes'), async (t) => {
  const model = await modelOf(t, 'export const feedback = ({ h, t }) => [...h, t]')
  const given = new Tensor([3], Float32Array.of(1, 2, 3))
  const x = random(1, 2, 1)
  const whole = await model.sequence({ x, h_in: given })
  const { h } = await byHand(model, x, 0, 2, (h, _c, _x, t) => t === 0 ? [1, 2, 3] : [...h, t])
  closeTo([...whole.h_out.data], h)
})

test('the state of a row is zeros at first, its own, and kept from step to step', async (t) => {
  const model = await modelOf(t, `
    export const state = 2
    export function feedback ({ h, row, state }) {
      state[0] += row + 1
      state[1] -= 1
      return [...h, state[0] + state[1] / 8]
    }`)
  const x = random(2, 4, 1)
  const lengths = [4, 2]
  const answer = await model.sequence({ x, lengths })
  assert.ok(answer.h_next)
  for (const row of [0, 1]) {
    const { h, next } = await byHand(model, x, row, lengths[row], (h, _c, _x, t) => [...h, (t + 1) * (row + 1 - 1 / 8)])
    closeTo(rowOf(answer.h_out, row), h)
    closeTo(rowOf(answer.h_next, row), next())
  }
  const again = await model.sequence({ x, lengths })
  assert.deepEqual(again.h_out.data, answer.h_out.data, 'another request begins with zeros')
})

test('what it writes to the state for h_next is dropped: that step is yet to come', onlyFull('starts processes'), async (t) => {
  const { policy } = await policyOf(t, 'export const state = 1; export const feedback = ({ h, state }) => [...h, ++state[0]]')
  const slices: Record<string, Float32Array> = { h0: new Float32Array(2), c0: new Float32Array(2), h_in: new Float32Array(3), host: new Float32Array(1) }
  const request = policy.host?.({}, { lengths: [2], before: [0], state: (_, name) => slices[name], x: () => undefined }, unboundCall())
  for (const [step, made, kept] of [[0, 1, 1], [1, 2, 2], [2, 3, 2], [2, 3, 2]]) {
    await request?.feed([0], [step])
    assert.deepEqual([slices.h_in[2], slices.host[0]], [made, kept])
  }
  assert.equal(request?.next, true)
})

test('what it is given is its own: what it does to that changes nothing', onlyFull('starts processes'), async (t) => {
  const model = await modelOf(t, `
    let kept
    export const feedback = ({ h, c, x, context, sizes, t }) => {
      kept?.h.fill(1e9)
      kept = { h }
      for (const array of [h, c, x]) array.fill(7)
      context.list.push(1)
      try { sizes.Hi = 9 } catch { return [0, 0, 0] }
      return [9, 9, 9]
    }`)
  const x = random(1, 3, 1)
  const context = { list: [0] }
  const answer = await model.sequence({ x, context })
  closeTo([...answer.h_out.data], (await byHand(model, x, 0, 3, () => [0, 0, 0])).h)
  assert.deepEqual(context, { list: [0] })
})

test('it has the tensors of the model\'s file', onlyFull('starts processes'), async (t) => {
  const P = new Tensor([3, 2], Float32Array.of(1, 0, 0, 1, 0.5, 0.5))
  const model = await modelOf(t, `
    export function feedback ({ h, tensors }) {
      const { shape: [rows, columns], data } = tensors.P
      return Array.from({ length: rows }, (_, i) => h.reduce((sum, v, j) => sum + data[i * columns + j] * v, 0))
    }`, { tensors: { P, other: random(2) } })
  const x = random(1, 3, 1)
  const answer = await model.sequence({ x })
  closeTo([...answer.h_out.data], (await byHand(model, x, 0, 3, (h) => [h[0], h[1], (h[0] + h[1]) / 2])).h)
})

test('tensors of a context come flat if its schema says so, and as lists if not', onlyFull('starts processes'), async (t) => {
  const model = await modelOf(t, `
    export const context = { type: 'object', properties: { v: { tensor: { ranks: [1] } }, w: { type: 'array' } } }
    export const feedback = ({ h, context: { v, w } }) => [...h, v.data[1] + v.shape[0] + w[0]]`)
  const shared = Float32Array.of(1, 2, 3, 4, 5, 6)
  const answer = await model.sequence({ x: random(1, 1, 1), h_in: random(3), context: { v: new Tensor([2], shared.subarray(2, 4)), w: [8] } })
  assert.equal(answer.h_next?.data[2], 4 + 2 + 8)
})

test('a context that the module\'s schema refuses is a refusal that names the field', async (t) => {
  const model = await modelOf(t, `
    export const context = { type: 'object', properties: { gain: { type: 'number' } }, required: ['gain'] }
    export const feedback = () => [0, 0, 0]`)
  const x = random(1, 1, 1)
  await assert.rejects(model.sequence({ x }), { name: 'InputError', kind: 'malformed', message: '/context/gain: is required' })
  await assert.rejects(model.sequence({ x, context: { gain: 'x' } }), /\/context\/gain: must be number, got the string "x"/)
})

test('the examples of the documents do what they say', onlyFull('starts processes'), async (t) => {
  const [gain, average] = [...readFileSync('docs/policies.md', 'utf8').matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code)
  const x = random(1, 3, 1)
  const model = await modelOf(t, gain, { sizes: { I: 1, Hi: 4, Ho: 2 } })
  const { h_out: h, h_next: next } = await model.sequence({ x, context: { gain: 0.5 } })
  closeTo([...next?.data ?? []], [...h.data, ...h.data.map((value) => value / 2)])

  const averaging = await modelOf(t, average)
  const answer = await averaging.sequence({ x })
  const mean = (t: number): number => x.data.subarray(0, t + 1).reduce((a, b) => a + b) / (t + 1)
  closeTo([...answer.h_out.data], (await byHand(averaging, x, 0, 3, (h, _c, _x, t) => [...h, mean(t)])).h)
})

test('many rows of many lengths are what each is alone', onlyFull('starts processes'), async (t) => {
  const model = await modelOf(t, `
    export const state = 1
    export const feedback = ({ h, x, row, t, state }) => [h[0] + x[0], h[1] * row / 100, state[0] += t]`)
  const rows = 200
  const x = random(rows, 4, 1)
  const lengths = Array.from({ length: rows }, (_, row) => row % 4 + 1)
  const answer = await model.sequence({ x, lengths })
  for (const row of [0, 1, 63, 64, 130, 199]) {
    const { h } = await byHand(model, x, row, lengths[row], (h, _, x = NaN, t) => [h[0] + x, h[1] * row / 100, t * (t + 1) / 2])
    closeTo(rowOf(answer.h_out, row), h)
  }
})

test('rows that take long are no reason to stop it, and others have their turn between them', onlyFull('takes seconds'), async (t) => {
  const model = await modelOf(t, `
    export function feedback ({ h, context }) {
      for (const end = performance.now() + (context.wait ?? 0); performance.now() < end;);
      return [...h, 0]
    }`, { hosting: { timeout: FULL ? 1 : 0.5 } })
  const order: string[] = []
  const many = model.sequence({ x: random(60, 1, 1), context: { wait: FULL ? 30 : 12 } }).then(() => order.push('many'))
  await new Promise((resolve) => setTimeout(resolve, 100))
  const one = model.sequence({ x: random(1, 1, 1) }).then(() => order.push('one'))
  await Promise.all([many, one])
  assert.deepEqual(order, ['one', 'many'])
})

test('a context travels once, and again only if there was no room to keep it', () => {
  const contexts = createContexts(100)
  const [a, b, c] = [new Uint8Array(40), new Uint8Array(50), new Uint8Array(60)]
  assert.deepEqual(contexts.bring(1, a), { context: a, forget: [] })
  assert.deepEqual(contexts.bring(1, a), { forget: [] })
  assert.deepEqual(contexts.bring(2, b), { context: b, forget: [] })
  assert.deepEqual(contexts.bring(1, a), { forget: [] })
  assert.deepEqual(contexts.bring(3, c), { context: c, forget: [2] }, 'the one used longest ago goes first')
  assert.deepEqual(contexts.bring(2, b), { context: b, forget: [1, 3] })
  contexts.drop(2)
  contexts.drop(2)
  contexts.drop(7)
  assert.deepEqual(contexts.bring(4, new Uint8Array(1000)), { context: new Uint8Array(1000), forget: [2] }, 'one that is too large is kept alone')
  assert.deepEqual(contexts.bring(4, new Uint8Array(1000)), { forget: [] })
  contexts.clear()
  assert.deepEqual(contexts.bring(4, a), { context: a, forget: [] })
})

const BROKEN: ReadonlyArray<[name: string, body: string, message: RegExp]> = [
  ['throws', 'throw new Error("secret")', /threw an error, for step 1$/],
  ['throws what is no error', 'throw null', /threw an error, for step 1$/],
  ['throws what has no text', 'throw Object.create(null)', /threw an error, for step 1$/],
  ['calls itself without end', 'return feedback({ t: 1 })', /threw an error, for step 1$/],
  ['returns too few', 'return [1, 2]', /returned 2 numbers, expected 3 finite numbers \(Hi\), for step 1$/],
  ['returns too many', 'return new Float32Array(4)', /returned 4 numbers, expected 3/],
  ['returns nothing', 'return', /returned undefined, expected 3/],
  ['returns a promise', 'return Promise.resolve([1, 2, 3])', /returned a promise, expected 3 finite numbers \(Hi\), for step 1$/],
  ['returns a promise that is refused', 'return Promise.reject(new Error("secret"))', /returned a promise/],
  ['returns text', 'return [1, "2", 3]', /returned 2 at 1/],
  ['returns text without end', 'return [1, "secret".padStart(1e6), 3]', /returned {82}at 1/],
  ['returns holes', 'return [1, , 3]', /returned undefined at 1/],
  ['returns what has no text', 'return [1, Object.create(null), 3]', /threw an error, for step 1$/],
  ['returns a NaN', 'return [1, 2, NaN]', /returned NaN at 2/],
  ['returns more than a float32 holds', 'return [1, 2, 1e39]', /returned 1e\+39 at 2/],
  ['leaves a NaN in its state', 'state[1] = NaN; return [1, 2, 3]', /left NaN at index 1 of the row's state, for step 1$/]
]

test('a module that does what it should not fails the request, keeps its own words to the log, and goes on', async (t) => {
  const model = await modelOf(t, `
    export const state = 2
    const pid = process.pid
    const CASES = [${BROKEN.map(([, body]) => `function feedback ({ t, state }) { if (t === 1) { ${body} } return [1, 2, 3] }`).join(', ')}]
    export const feedback = (step) => step.context.of === undefined ? [process.pid, 0, 0] : CASES[step.context.of](step)`)
  const x = random(1, 2, 1)
  const pid = async () => (await model.sequence({ x })).h_next?.data[0]
  const before = await pid()
  for (const [of, [name, , message]] of BROKEN.entries()) {
    await t.test(name, async () => await assert.rejects(model.sequence({ x, context: { of } }), (error) => {
      assert.doesNotMatch(String(error), /secret/)
      return failsWith(message)(error)
    }))
  }
  assert.equal(await pid(), before, 'it is still the same process')
  await assert.rejects(model.sequence({ x, context: { of: 0 } }), (error) => {
    assert.ok(error instanceof Error && error.cause instanceof Error)
    assert.match(error.cause.stack ?? '', /secret[^]*feedback\.mjs/, 'the log has the stack')
    return true
  })
})

test('an async function fails the request, and what it does later is no concern of others', onlyFull('starts processes'), async (t) => {
  const reports: Error[] = []
  const model = await modelOf(t, 'export async function feedback ({ context }) { await null; throw new Error("x") }', { hosting: { report: (error) => { reports.push(error) } } })
  for (let i = 0; i < 3; i++) await assert.rejects(model.sequence({ x: random(1, 2, 1) }), failsWith(/returned a promise, .* for step 0$/))
  assert.deepEqual(reports, [], 'its process goes on')
})

const UNLOADABLE: ReadonlyArray<[source: string, message: RegExp]> = [
  ['export const feedback = 7', /feedback\.mjs: expected an exported function named feedback, and a JSON schema as context if any$/],
  ['export const feedback = () => {}; export const context = 7', /feedback\.mjs: expected an exported function/],
  ['export const feedback = () => {}; export const context = { type: "nonsense" }', /schema is invalid/],
  ['export const feedback = () => {}; export const context = {}; context.self = context', /feedback\.mjs: cannot be loaded: Converting circular structure/],
  ['export const feedback = () => {}; export const state = 1.5', /feedback\.mjs: expected state to be a whole number from 0 to 65536, got 1\.5$/],
  ['export const feedback = () => {}; export const state = 65537', /got 65537$/],
  ['export const feedback = () => {}; export const state = "1"', /got 1$/],
  ['export const =', /feedback\.mjs: cannot be loaded: Unexpected token/],
  ['import "./nothing.mjs"', /feedback\.mjs: cannot be loaded: Cannot find module/],
  ['throw new Error("as it loads")', /feedback\.mjs: cannot be loaded: as it loads$/],
  ['process.exit(3)', /feedback\.mjs: cannot be loaded: it ended its process with exit code 3$/],
  ['setTimeout(() => { throw new Error("later") }); await new Promise(() => {})', /feedback\.mjs: cannot be loaded: it ended its process with exit code 1$/]
]

test('a module that does not load, or exports no feedback, stops the start', onlyFull('starts processes'), async (t) => {
  for (const [source, message] of some(UNLOADABLE)) await t.test(source, async (t) => await assert.rejects(policyOf(t, source), message))
  const setting = { layers: bareLayers(drawCell({ I: SIZES.I, Hi: SIZES.Hi, Ho: SIZES.Ho }, createRandom(1))), tensor: () => { throw new Error('none') }, tensors: () => [], hosting: testHosting() }
  await assert.rejects(createPolicy({ policy: 'module' }, { ...setting, folder: undefined }), /own folder/)
  await assert.rejects(createPolicy({ policy: 'module' }, { ...setting, folder: tmpdir() }), /feedback\.mjs: cannot be loaded: Cannot find module/)
})

/** A module that does what the context says at the step it says; its process id is the first number of `h_next`. */
const UNRULY = `
  import { execSync } from 'node:child_process'
  const { pid } = process
  export function feedback ({ h, context: { code, at = 1 }, t }) {
    if (code !== undefined && t === at) new Function('execSync', code)(execSync)
    // Only as h_next, so that the states do not depend on it.
    return [t < 3 ? 1 : pid, ...h]
  }`
const quiet = random(2, 3, 1)

test('a call that does not return fails its request, names the step, and others go on with a new process', async (t) => {
  const reports: string[] = []
  const model = await modelOf(t, UNRULY, { hosting: { timeout: 1, report: ({ message }) => { reports.push(message) } } })
  const { h_out: expected, h_next: first } = await model.sequence({ x: quiet })
  const start = performance.now()
  const looping = model.sequence({ x: quiet, context: { code: 'for (;;);', at: 2 } })
  const others = Array.from({ length: 8 }, async () => await model.sequence({ x: quiet }))
  await assert.rejects(looping, failsWith(/^the model's feedback\.mjs did not return within 1 s, for step 2$/))
  assert.ok(performance.now() - start > 990, 'it had its time')
  for (const { h_out: h } of await Promise.all(others)) closeTo([...h.data], [...expected.data])
  const { h_out: h, h_next: next } = await model.sequence({ x: quiet })
  closeTo([...h.data], [...expected.data])
  assert.notEqual(next?.data[0], first?.data[0], 'it is another process')
  assert.deepEqual(reports, [], 'the request says it')
})

const MISBEHAVIOUR: ReadonlyArray<[name: string, code: string, message: RegExp]> = [
  ['blocks', 'execSync("sleep 60")', /did not return within 1 s, for step 1$/],
  ['waits', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)', /did not return within 1 s, for step 1$/],
  ['asks V8 for what it cannot stop to do', 'new Array(1e9).fill(0)', /(did not return within 1 s|ran out of memory), for step 1$/],
  ['exits', 'process.exit(0)', /ended its process, for step 1$/],
  ['ends itself', 'process.kill(process.pid, "SIGSEGV")', /ended its process with SIGSEGV, for step 1$/]
]

test('whatever a call does to its process fails its request alone', onlyFull('takes seconds'), async (t) => {
  const model = await modelOf(t, UNRULY, { hosting: { timeout: 1 } })
  for (const [name, code, message] of some(MISBEHAVIOUR)) {
    await t.test(name, async () => {
      const bad = model.sequence({ x: quiet, context: { code } })
      const good = model.sequence({ x: quiet })
      await assert.rejects(bad, failsWith(message))
      await good
    })
  }
})

const ALLOCATIONS = {
  numbers: 'const all = []; for (;;) all.push(Math.random())',
  objects: 'const all = []; for (;;) all.push({ all })',
  'typed arrays': 'const all = []; for (;;) all.push(new Float32Array(1e6).fill(1))'
}

test('memory without end is the end of its request alone', onlyFull('takes seconds'), async (t) => {
  const model = await modelOf(t, UNRULY, { hosting: { memory: 64, timeout: 60 } })
  for (const [name, code] of some(Object.entries(ALLOCATIONS), 1)) {
    await t.test(name, async () => {
      await assert.rejects(model.sequence({ x: quiet, context: { code } }), failsWith(/^the model's feedback\.mjs ran out of memory, for step 1$/))
      await model.sequence({ x: quiet })
    })
  }
})

const LATER = {
  'an error in a timer': 'setTimeout(() => { throw new Error("later") }, 20)',
  'a promise that is refused': 'Promise.reject(new Error("later"))',
  'an exit': 'setTimeout(process.exit, 20)'
}

test('what goes wrong between the calls is for the log, and the requests do not notice', onlyFull('starts processes'), async (t) => {
  for (const [name, code] of some(Object.entries(LATER), 1)) {
    await t.test(name, async (t) => {
      const reports: Error[] = []
      const model = await modelOf(t, UNRULY, { hosting: { report: (error) => { reports.push(error) } } })
      const { h_out: expected } = await model.sequence({ x: quiet })
      for (let i = 0; i < 3; i++) closeTo([...(await model.sequence({ x: quiet, context: i === 0 ? { code } : {} })).h_out.data], [...expected.data])
      while (reports.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
      assert.match(reports[0].message, /feedback\.mjs: ended its process with exit code [01]$/)
      closeTo([...(await model.sequence({ x: quiet })).h_out.data], [...expected.data])
    })
  }
})

test('one that ends every process before the call is given up', onlyFull('takes seconds'), async (t) => {
  const reports: Error[] = []
  const model = await modelOf(t, `
    import { Socket } from 'node:net'
    Socket.prototype.emit = (event) => { if (event === 'data') process.exit() }
    export const feedback = ({ h }) => [0, ...h]`, { hosting: { report: (error) => { reports.push(error) } } })
  await assert.rejects(model.sequence({ x: quiet }), failsWith(/ended its process with exit code 0, for step 0$/))
  assert.equal(reports.length, 2, 'it was tried three times')
})

test('one that cannot be loaded again fails those who wait, and may come back', onlyFull('takes seconds'), async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'helper.mjs')
  await writeFile(file, 'export const state = 0')
  await writeFile(join(folder, 'feedback.mjs'), `export { state } from './helper.mjs'\n${UNRULY}`)
  const policy = await createPolicy({ policy: 'module' }, { layers: bareLayers(drawCell({ I: 1, Hi: 3, Ho: 2 }, createRandom(1))), folder, tensor: () => { throw new Error('none') }, tensors: () => [], hosting: testHosting() })
  t.after(() => policy.policy.close?.())
  const model = await createModel({ name: 'test', version: '1', layers: bareLayers(drawCell({ I: 1, Hi: 3, Ho: 2 }, createRandom(1))), policy }, await testDeps())
  await assert.rejects(model.sequence({ x: quiet, context: { code: 'process.exit()' } }), failsWith(/ended its process/))
  await writeFile(file, 'nonsense')
  await assert.rejects(model.sequence({ x: quiet }), failsWith(/could not be loaded again$/))
  await writeFile(file, 'export const state = 1')
  await assert.rejects(model.sequence({ x: quiet }), failsWith(/could not be loaded again$/))
  await writeFile(file, 'export const state = 0')
  await model.sequence({ x: quiet })
})

test('a process in the place of another runs the same file, whatever lies there by then', onlyFull('starts processes'), async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'feedback.mjs')
  await writeFile(join(folder, 'helper.mjs'), 'export const state = 0')
  await writeFile(file, `export { state } from './helper.mjs'\n${UNRULY}`)
  const layers = bareLayers(drawCell({ I: 1, Hi: 3, Ho: 2 }, createRandom(1)))
  const policy = await createPolicy({ policy: 'module' }, { layers, folder, tensor: () => { throw new Error('none') }, tensors: () => [], hosting: testHosting() })
  t.after(() => policy.policy.close?.())
  const model = await createModel({ name: 'test', version: '1', layers, policy }, await testDeps())
  await writeFile(file, 'nonsense')
  await assert.rejects(model.sequence({ x: quiet, context: { code: 'process.exit()' } }), failsWith(/ended its process/))
  assert.equal((await model.sequence({ x: quiet })).h_next?.data.length, 6, 'two rows go on')
})

test('nobody waits longer for others than they want to', onlyFull('takes seconds'), async (t) => {
  const reports: Error[] = []
  const timeout = FULL ? 5 : 2
  const model = await modelOf(t, UNRULY, { hosting: { timeout, report: (error) => { reports.push(error) } } })
  const request: SequenceRequest = { x: quiet }
  const looping = { deadline: Infinity, cancelled: false }
  const bad = model.sequence({ ...request, context: { code: 'for (;;);' } }, looping)
  const start = performance.now()
  await assert.rejects(model.sequence(request, { deadline: start + 300, cancelled: false }), { kind: 'late' })
  const waiting = { deadline: Infinity, cancelled: false }
  setTimeout(() => { waiting.cancelled = true }, 100)
  await assert.rejects(model.sequence(request, waiting), { kind: 'gone' })
  looping.cancelled = true
  await assert.rejects(bad, { kind: 'gone' })
  assert.ok(performance.now() - start < 980 * timeout, 'before the loop has had its time')
  await model.sequence(request)
  assert.match(reports[0].message, new RegExp(String.raw`feedback\.mjs: did not return within ${timeout} s$`), 'no answer says it any more')
})

test('the process ends with the model, whatever it is at', async (t) => {
  for (const code of [undefined, 'for (;;);']) {
    const model = await modelOf(t, UNRULY)
    const pid = (await model.sequence({ x: quiet })).h_next?.data[0] ?? NaN
    const last = code === undefined ? undefined : model.sequence({ x: quiet, context: { code } })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const refused = last === undefined ? undefined : assert.rejects(last, { kind: 'unavailable' })
    await model.close()
    await refused
    await assert.rejects(model.sequence({ x: quiet }), { kind: 'unavailable' })
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  }
})
