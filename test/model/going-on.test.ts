import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { InputError, type ErrorKind } from '../../src/errors.ts'
import { loadModels } from '../../src/load.ts'
import type { Model } from '../../src/model/model.ts'
import type { SequenceRequest } from '../../src/model/request.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { testDeps } from '../support/app.ts'
import { createDice } from '../support/dice.ts'
import { some } from '../support/full.ts'
import { writeModels } from '../support/models.ts'
import { createRandom } from '../support/random.ts'
import { customLstm, writeSafetensors } from '../support/safetensors.ts'
import { isNative } from '../support/small.ts'

const random = createRandom(15)
const draw = (...shape: number[]): Tensor => new Tensor(shape, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() * 2 - 1))

const ROWS = 3
const STEPS = 5
const SPLIT = 2

/** The steps of `[B][T][W]` from one to another. */
function steps ({ shape: [B, T, W], data }: Tensor, from: number, to: number): Tensor {
  const some = new Float32Array(B * (to - from) * W)
  for (let row = 0; row < B; row++) some.set(data.subarray((row * T + from) * W, (row * T + to) * W), row * (to - from) * W)
  return new Tensor([B, to - from, W], some)
}

function joined (a: Tensor, b: Tensor): Tensor {
  const [B, T, W] = a.shape
  const U = b.shape[1]
  const all = new Float32Array(B * (T + U) * W)
  for (let row = 0; row < B; row++) {
    all.set(a.data.subarray(row * T * W, (row + 1) * T * W), row * (T + U) * W)
    all.set(b.data.subarray(row * U * W, (row + 1) * U * W), (row * (T + U) + T) * W)
  }
  return new Tensor([B, T + U, W], all)
}

const bits = (tensor: Tensor | undefined): Uint32Array => new Uint32Array(new Float32Array(tensor?.data ?? []).buffer)

/** The same bits; TensorFlow.js has its own order of sums for each shape, so there the same but for rounding. */
async function same (actual: Tensor | undefined, expected: Tensor | undefined, what: string): Promise<void> {
  assert.deepEqual(actual?.shape, expected?.shape, what)
  if (await isNative()) assert.deepEqual(bits(actual), bits(expected), what)
  else actual?.data.forEach((value, i) => assert.ok(Math.abs(value - (expected?.data[i] ?? NaN)) < 1e-4, `${what} at ${i}`))
}

function contextOf ({ policy: { policy: { wiring, vectors } } }: Model): object {
  return {
    ...(wiring?.read !== undefined && { support: draw(ROWS, 4, wiring.read.support) }),
    ...(vectors !== undefined && { vectors: draw(ROWS, vectors) })
  }
}

/** A sequence in two requests is the same in one. */
async function goesOn (model: Model, first: SequenceRequest): Promise<void> {
  const { width, embedding } = model.shape.sequence
  const parts = model.parts.map(({ name }) => name)
  const x = width === 0 || embedding !== undefined ? undefined : draw(ROWS, STEPS, width)
  const ids = embedding && Array.from({ length: ROWS }, () => Array.from({ length: STEPS }, () => Math.floor((random() + 1) / 2 * embedding.vocabulary)))
  const given = (from: number, to: number): SequenceRequest => {
    if (ids !== undefined) return { ids: ids.map((row) => row.slice(from, to)) }
    return x === undefined ? { steps: to - from } : { x: steps(x, from, to) }
  }
  const part = (from: number, to: number): SequenceRequest => ({ ...given(from, to), context, parts, state: true })
  const context = contextOf(model)
  const whole = await model.sequence({ ...part(0, STEPS), ...first })
  const begun = await model.sequence({ ...part(0, SPLIT), ...first })
  assert.ok(begun.state !== undefined)
  const rest = await model.sequence({ ...part(SPLIT, STEPS), state: begun.state })
  await same(joined(begun.output, rest.output), whole.output, 'output')
  for (const name of ['h_out', 'c_out', 'h_next'] as const) await same(rest[name], whole[name], name)
  for (const name of parts) {
    const [a, b, all] = [begun.parts?.[name], rest.parts?.[name], whole.parts?.[name]]
    assert.ok(a !== undefined && b !== undefined && all !== undefined)
    // The last entry of one is the first of the next, except of what is a step's own.
    const again = a.shape[1] + b.shape[1] - all.shape[1]
    await same(joined(a, steps(b, again, b.shape[1])), all, name)
    if (again === 1) await same(steps(b, 0, 1), steps(a, SPLIT, SPLIT + 1), name)
  }
  if (await isNative()) assert.deepEqual(rest.state, whole.state)

  let { state } = begun
  for (let t = SPLIT; t < STEPS; t++) {
    const { steps: _, ...one } = given(t, t + 1)
    const step = await model.step({ ...one, context, state })
    await same(step.h_out, t === STEPS - 1 ? whole.h_out : step.h_out, 'h_out of a step')
    assert.ok(step.state !== undefined)
    state = step.state
  }
  if (await isNative()) assert.deepEqual(state, whole.state)
}

function named (models: readonly Model[], name: string): Model {
  const found = models.find((model) => model.name === name)
  assert.ok(found !== undefined)
  return found
}

async function fails (answer: Promise<unknown>, kind: ErrorKind, message: RegExp): Promise<void> {
  await assert.rejects(answer, (error: unknown) => {
    assert.ok(error instanceof InputError, String(error))
    assert.equal(error.kind, kind)
    assert.match(error.message, message)
    return true
  })
}

describe('rows go on from their tokens as if nothing had come between, whatever their wiring', async () => {
  for (const folder of ['models', 'test/fixtures', 'test/fixtures/recurrences', 'test/fixtures/torch']) {
    const models = await loadModels(folder, await testDeps())
    test(`${folder} has models`, () => assert.ok(models.length > 2))
    for (const model of some(models, 8)) {
      const { name, shape, policy: { policy: { wiring } } } = model
      if (shape.directions === 2 || (wiring === undefined && shape.hIn !== shape.hOut)) {
        test(`${folder}: ${name} has no state to go on from`, async () => {
          const request = shape.sequence.width === 0 ? { steps: 1 } : { x: draw(1, 1, shape.sequence.width) }
          await fails(model.sequence({ ...request, state: true }), 'unprocessable', /^\/state: (the network has two directions|only the client knows)/)
        })
        continue
      }
      test(`${folder}: ${name}`, async () => {
        // With neither x nor h_in nothing says how many rows there are, unless it is the context.
        const rows = shape.sequence.width === 0 && wiring?.read === undefined ? { c_in: draw(ROWS, shape.c) } : {}
        await goesOn(model, rows)
        await goesOn(model, { ...rows, h_in: draw(ROWS, shape.hIn) })
        await goesOn(model, { ...rows, h_in: draw(ROWS, shape.hIn), h_0: draw(ROWS, shape.Ho) }).catch((error: unknown) => {
          if (!(error instanceof InputError && error.errors[0].path === '/h_0')) throw error
        })
      })
    }
  }
})

test('the operator\'s own module sees how many steps a row has taken, and the state that it kept', async (t) => {
  const folder = await writeModels(t, {
    'own/model.safetensors': writeSafetensors(customLstm(1, 3, 2)),
    'own/config.json': '{"feedback": {"policy": "module"}}',
    'own/feedback.mjs': 'export const state = 1\nexport const feedback = ({ h, x, t, state }) => [h[0], h[1] * t, state[0] += x[0]]'
  })
  const [model] = await loadModels(folder, await testDeps())
  t.after(async () => await model.close())
  await goesOn(model, {})
  await goesOn(model, { h_in: draw(ROWS, 3) })
  // Rows that have taken different numbers of steps go on together.
  const x = draw(2, 3, 1)
  const one = await model.sequence({ x, lengths: [1, 3], state: true })
  assert.ok(Array.isArray(one.state))
  const more = draw(2, 2, 1)
  const both = await model.sequence({ x: more, state: one.state })
  for (const row of [0, 1]) {
    const alone = await model.sequence({ x: new Tensor([2, 1], more.data.slice(2 * row, 2 * row + 2)), state: one.state[row] })
    await same(alone.h_out, new Tensor([2], both.h_out.data.slice(2 * row, 2 * row + 2)), 'h_out')
    assert.equal(typeof alone.state, 'string', 'without a batch dimension there is one token')
  }
})

test('each row\'s token is that after its own last step', async () => {
  const model = named(await loadModels('models', await testDeps()), 'custom-lstm')
  const x = draw(2, 4, 2)
  const ragged = await model.sequence({ x, lengths: [2, 4], state: true })
  const short = await model.sequence({ x: steps(x, 0, 2), state: true })
  const long = await model.sequence({ x, state: true })
  assert.deepEqual(ragged.state, [short.state?.[0], long.state?.[1]])
})

test('the last line of a stream has the tokens', async () => {
  const model = named(await loadModels('models', await testDeps()), 'custom-lstm')
  const x = draw(2, 4, 2)
  const lines: object[] = []
  for await (const some of model.stream({ x, state: true })) lines.push(...some)
  const { state } = await model.sequence({ x, state: true })
  assert.deepEqual(lines.map((line) => 'state' in line ? line.state : undefined), [undefined, undefined, undefined, undefined, state])
})

describe('what is no token of this model is refused, and says why', async () => {
  const models = await loadModels('models', await testDeps())
  const [model, symmetric] = [named(models, 'custom-lstm'), named(models, 'symmetric')]
  const x = draw(1, 1, 2)
  const { state: [token] = [] } = await model.sequence({ x, state: true })
  const bytes = Buffer.from(token, 'base64url')
  const changed = (at: number, value: number): string => {
    const copy = Buffer.from(bytes)
    copy[at] = value
    return copy.toString('base64url')
  }

  test('a token is base64url', () => assert.match(token, /^[\w-]+$/))
  test('another model', async () => await fails(symmetric.sequence({ x: draw(1, 1, symmetric.shape.sequence.width), state: [token] }), 'conflict',
    new RegExp(`^/state/0: belongs to custom-lstm, version ${model.version.slice(0, 16)}; this is symmetric, version ${symmetric.version.slice(0, 16)}$`)))
  test('another version', async (t) => {
    const folder = await writeModels(t, {
      'custom-lstm/model.safetensors': writeSafetensors(customLstm(2, 6, 3, 1)), 'custom-lstm/config.json': '{"feedback": {"policy": "repeat"}}'
    })
    const [other] = await loadModels(folder, await testDeps())
    await fails(other.step({ x: draw(1, 2), state: [token] }), 'conflict', new RegExp(`version ${model.version.slice(0, 16)}; this is custom-lstm, version ${other.version.slice(0, 16)}$`))
  })
  test('no base64url', async () => await fails(model.sequence({ x, state: 'not a token!' }), 'unprocessable', /^\/state: is not a state token: it is not base64url$/))
  test('too short', async () => await fails(model.sequence({ x, state: ['AQ'] }), 'unprocessable', /^\/state\/0: is not a state token: it has 1 bytes, fewer than the 29 of a head$/))
  test('empty', async () => await fails(model.sequence({ x, state: [''] }), 'unprocessable', /^\/state\/0: is not a state token: it has 0 bytes/))
  test('another format', async () => await fails(model.sequence({ x, state: [changed(0, 2)] }), 'unprocessable', /^\/state\/0: is not a state token of format 1: its first byte is 2$/))
  test('damaged', async () => await fails(model.sequence({ x, state: [changed(40, bytes[40] ^ 1)] }), 'unprocessable', /^\/state\/0: is damaged: its checksum/))
  test('the wrong number', async () => {
    await fails(model.sequence({ x: draw(2, 1, 2), state: [token] }), 'unprocessable', /^\/state: expected 2 tokens, one per row, got 1$/)
    await fails(model.sequence({ x: draw(2, 1, 2), state: token }), 'unprocessable', /^\/state: expected 2 tokens, one per row, got one$/)
    await fails(model.sequence({ x, state: [token, token] }), 'unprocessable', /^\/state: expected 1 token, got 2$/)
  })
  test('beside what it holds', async () => {
    for (const [field, width] of [['h_in', 6], ['c_in', 3], ['h_0', 3]] as const) {
      await fails(model.sequence({ x, state: [token], [field]: draw(1, width) }), 'unprocessable', new RegExp(`^/${field}: cannot be combined with state`))
    }
    assert.ok((await model.sequence({ x, state: true, h_in: draw(1, 6) })).state, 'beside true they say where a row begins')
  })
  test('a context for a step of the bare network', async () => await fails(model.step({ x: draw(2), context: {} }), 'unprocessable', /^\/context: is for a step with state/))

  test('any other bytes', async () => {
    const dice = createDice(7)
    for (let i = 0; i < 2000; i++) {
      const copy = Buffer.from(bytes)
      for (let n = 1 + dice.below(4); n > 0; n--) copy[dice.below(copy.length)] = dice.below(256)
      const some = dice.chance(0.3) ? copy.subarray(0, dice.below(copy.length)) : copy
      const text = some.equals(bytes) ? '' : some.toString(dice.pick(['base64url', 'base64', 'latin1', 'hex'] as const))
      await assert.rejects(model.sequence({ x, state: [text] }), (error: unknown) => error instanceof InputError && ['unprocessable', 'conflict'].includes(error.kind), text)
    }
  })
})
