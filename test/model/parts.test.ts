import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { InputError } from '../../src/errors.ts'
import { loadModels } from '../../src/load.ts'
import type { SequenceAnswer, SequenceStep } from '../../src/model/answers.ts'
import { unboundCall, type Call } from '../../src/model/call.ts'
import type { Model } from '../../src/model/model.ts'
import type { SequenceRequest } from '../../src/model/request.ts'
import { createAdmission } from '../../src/scheduler/admission.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { testDeps } from '../support/app.ts'
import { some } from '../support/full.ts'
import { createRandom } from '../support/random.ts'
import { buildModel, isNative, stepsOf, tensor } from '../support/small.ts'
import { until } from '../support/until.ts'

const random = createRandom(29)
const draw = (...shape: number[]): Tensor => new Tensor(shape, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() * 2 - 1))

const LENGTHS = [5, 1, 3]
const [STEPS] = LENGTHS

/** Part of row `row` of `[B][T][W]`, as a sequence of its own. */
const rowOf = ({ shape: [, T, W], data }: Tensor, row: number, from = 0, to = T): Tensor => new Tensor([to - from, W], data.slice((row * T + from) * W, (row * T + to) * W))

const found = <T>(value: T | undefined): T => {
  assert.ok(value !== undefined)
  return value
}

/** The same bits; TensorFlow.js has its own order of sums for each shape. */
async function same (actual: Tensor | undefined, expected: Tensor | undefined, what: string): Promise<void> {
  assert.deepEqual(actual?.shape, expected?.shape, what)
  if (await isNative()) assert.deepEqual(actual?.data, expected?.data, what)
  else actual?.data.forEach((value, i) => assert.ok(Math.abs(value - (expected?.data[i] ?? NaN)) < 1e-4, `${what} at ${i}`))
}

/** What a model reads beside the rows' states: of all rows, or of one of them. */
function requestOf ({ shape: { sequence: { width, embedding } }, policy: { policy: { wiring, vectors } } }: Model): (row?: number) => SequenceRequest {
  const x = draw(LENGTHS.length, STEPS, width)
  const ids = embedding && LENGTHS.map(() => Array.from({ length: STEPS }, () => Math.floor((random() + 1) / 2 * embedding.vocabulary)))
  const support = wiring?.read === undefined ? undefined : draw(4, wiring.read.support)
  const context = { ...(support !== undefined && { support }), ...(vectors !== undefined && { vectors: draw(vectors) }) }
  const repeated = width === 0
  return (row) => {
    const own = row === undefined ? { lengths: LENGTHS } : {}
    const length = row === undefined ? STEPS : LENGTHS[row]
    if (ids !== undefined) return { context, ...own, ids: row === undefined ? ids : ids[row].slice(0, length) }
    return repeated ? { context, steps: length } : { context, ...own, x: row === undefined ? x : rowOf(x, row, 0, length) }
  }
}

async function linesOf (model: Model, request: SequenceRequest): Promise<SequenceStep[]> {
  const steps: SequenceStep[] = []
  for await (const lines of model.stream(request)) {
    for (const line of lines) if ('t' in line) steps.push(line)
  }
  return steps
}

describe('the parts of rows', async () => {
  for (const folder of ['models', 'test/fixtures/parts', 'test/fixtures/torch', 'test/fixtures/recurrences']) {
    for (const model of some(await loadModels(folder, await testDeps()), 8)) {
      const { name, shape: { sequence, hIn, hOut, directions }, wiring } = model
      // Rows that the client feeds go one step at a time.
      if (wiring === undefined && directions === 1 && hIn !== hOut) continue
      const rows = sequence.width === 0 ? [0] : LENGTHS.map((_, row) => row)
      const parts = model.parts.map((part) => part.name)

      test(`${folder}/${name}: are the same alone, last, streamed and step by step, and zeros past the row's own`, async () => {
        const request = requestOf(model)
        const every = request(sequence.width === 0 ? 0 : undefined)
        const ask = async (asked: SequenceRequest): Promise<Readonly<Record<string, Tensor>>> => found((await model.sequence({ ...asked, parts })).parts)
        const whole: SequenceAnswer = await model.sequence({ ...every, parts })
        const all = Object.fromEntries(Object.entries(found(whole.parts)).map(([key, { shape, data }]) => [key, new Tensor(shape.length === 2 ? [1, ...shape] : shape, data)]))
        const lasts = await ask({ ...every, return_sequences: false })
        const lines = await linesOf(model, { ...every, parts })
        for (const row of rows) {
          const alone = await ask(request(row))
          const length = LENGTHS[row]
          for (const { name, next, width } of model.parts) {
            const entries = next ? length + 1 : length
            const what = `${name} of row ${row}`
            const { shape: [, T, W], data } = all[name]
            assert.deepEqual([alone[name].shape[0], T, W], [entries, next ? STEPS + 1 : STEPS, width ?? W], what)
            await same(rowOf(all[name], row, 0, entries), alone[name], what)
            assert.ok(data.slice((row * T + entries) * W, (row + 1) * T * W).every((value) => value === 0), `${what} past its own`)
            await same(new Tensor([W], lasts[name].data.slice(row * W, (row + 1) * W)), new Tensor([W], alone[name].data.slice((entries - 1) * W)), `the last ${what}`)
            for (let t = 0; t < length; t++) {
              const entry = next ? t + 1 : t
              const line = found(lines[t].parts)[name]
              assert.deepEqual(line.data.slice(row * W, (row + 1) * W), data.slice((row * T + entry) * W, (row * T + entry + 1) * W), `${what} at step ${t} of a stream`)
            }
          }
        }

        // The states are what the rows end with; a backward direction ends with the first step.
        if (directions === 1) {
          await same(new Tensor(whole.h_out.shape, lasts.h.data), whole.h_out, 'h_out')
          if (whole.c_out !== undefined) await same(new Tensor(whole.c_out.shape, lasts.c.data), whole.c_out, 'c_out')
        }
      })

      if (directions === 2 || sequence.width === 0) continue
      test(`${folder}/${name}: are the same in a session, one step and several at a time`, async () => {
        const { context, x, ids } = requestOf(model)(0)
        const whole = found((await model.sequence({ context, x, ids, parts })).parts)
        const given = (from: number, to: number): SequenceRequest => Array.isArray(ids) ? { ids: ids.slice(from, to) } : { x: x && new Tensor([to - from, x.shape[1]], x.data.slice(from * x.shape[1], to * x.shape[1])) }
        const one = (t: number): SequenceRequest => Array.isArray(ids) ? { ids: Number(ids[t]) } : { x: x && new Tensor([x.shape[1]], x.data.slice(t * x.shape[1], (t + 1) * x.shape[1])) }
        let going = model.open({ context })
        const told = model.parts.map(() => new Array<number>())
        const advance = async (request: SequenceRequest, single: boolean): Promise<void> => {
          const { answer: { parts: made }, row } = await model.advance(going, { ...request, parts }, single)
          model.parts.forEach(({ name, next }, k) => {
            const { shape, data } = found(made)[name]
            told[k].push(...data.subarray(single || !next ? 0 : shape[1]))
          })
          going = { ...going, row }
        }
        await advance(one(0), true)
        await advance(given(1, 4), false)
        await advance(one(4), true)
        for (const [k, { name, next }] of model.parts.entries()) {
          const { shape: [T, W], data } = whole[name]
          await same(new Tensor([STEPS, W], Float32Array.from(told[k])), new Tensor([STEPS, W], data.slice((next ? T - STEPS : 0) * W)), name)
        }
      })
    }
  }
})

test('with residual h is what the row is answered as h, whose output it is', async () => {
  const models = await loadModels('test/fixtures/recurrences', await testDeps())
  const residual = models.filter(({ wiring }) => wiring?.residual === true)
  assert.ok(residual.length > 0)
  for (const model of residual) {
    const { output, h_out: h, parts } = await model.sequence({ ...requestOf(model)(), parts: ['h'] })
    await same(parts?.h, output, model.name)
    assert.deepEqual(rowOf(found(parts).h, 0, STEPS - 1).data, h.data.slice(0, h.shape[1]))
  }
})

async function refused (asked: Promise<unknown>, path: string, message: RegExp): Promise<void> {
  await assert.rejects(asked, (error: unknown) => {
    assert.ok(error instanceof InputError, String(error))
    assert.deepEqual([error.kind, error.errors[0].path], ['unprocessable', path])
    assert.match(error.message, message)
    return true
  })
}

test('gates of an RNN and c of another cell than an LSTM are refused, and told why', async () => {
  const models = await loadModels('test/fixtures/parts', await testDeps())
  const named = (name: string): Model => found(models.find((model) => model.name === name))
  const x = tensor(2, 4)
  await refused(named('rnn-stack').sequence({ x, parts: ['h', 'gates'] }), '/parts/1', /^\/parts\/1: there are no gates: the cells are of kind rnn, which has none; the parts are h$/)
  await refused(named('rnn-stack').sequence({ x, parts: ['c'] }), '/parts/0', /there is no c: the cells are of kind rnn, and only an lstm has one; the parts are h$/)
  await refused(named('gru').sequence({ x, parts: ['c'] }), '/parts/0', /there is no c: the cells are of kind gru, and only an lstm has one; the parts are h, gates$/)
  await refused(named('lstm').sequence({ x, parts: ['cells'] }), '/parts/0', /there is no part "cells"; the parts are h, c, gates$/)
})

test('more numbers than an answer may have are refused before they are made', async () => {
  const { model, admission } = await buildModel(97)
  const steps = Math.floor(2 ** 24 / (4 * 97)) + 1
  await refused(model.sequence({ x: tensor(3), steps, parts: ['h', 'gates'] }), '/parts/1', new RegExp(`the answer would have ${steps * 4 * 97} numbers, more than the 16777216 allowed`))
  assert.equal(admission.bytes, 0)
})

/** Bytes of all tensors of an answer. */
const bytesOf = (answer: object): number => Object.values(answer).reduce<number>((sum, value: unknown) => {
  if (value instanceof Tensor) return sum + value.data.byteLength
  return sum + (typeof value === 'object' && value !== null ? bytesOf(value) : 0)
}, 0)

test('what is answered is counted before it is made, and refused if there is no room', async () => {
  for (const folder of ['models', 'test/fixtures/parts']) {
    const admission = createAdmission(1e6, 1e9)
    for (const model of await loadModels(folder, await testDeps({ admission }))) {
      for (const sequences of [true, false]) {
        const reservation = admission.reserve()
        const call: Call = { ...unboundCall(), reservation }
        const answer = await model.sequence({ ...requestOf(model)(), parts: model.parts.map(({ name }) => name), return_sequences: sequences, ...(model.wiring === undefined && model.shape.hIn !== model.shape.hOut && { steps: 1 }) }, call)
        assert.ok(admission.bytes >= bytesOf(answer), `${folder}/${model.name}: ${admission.bytes} bytes are counted, and ${bytesOf(answer)} answered`)
        reservation.release()
      }
    }
    assert.equal(admission.bytes, 0)
  }
  const { model, admission } = await buildModel(97, { admission: createAdmission(1000, 1e6) })
  const other = admission.reserve(1000)
  const x = tensor(400, 3)
  await model.sequence({ x })
  await assert.rejects(model.sequence({ x, parts: ['gates'] }), { kind: 'unavailable' })
  other.release()
  await model.sequence({ x, parts: ['gates'] })
})

test('rows whose gates are streamed wait for a slow reader, with as many numbers as of output', async () => {
  const { model, calls, admission } = await buildModel(97)
  const stream = model.stream({ x: tensor(2, 3000, 3), parts: ['h', 'c', 'gates'] })
  await stream.next()
  // There is room for 2^16 numbers, of 2 rows of 97 of output and six times as many of parts.
  const computed = 2 * Math.floor(2 ** 16 / (2 * 7 * 97))
  await until(() => stepsOf(calls) === computed, `${computed} steps are computed while nobody reads`)
  assert.ok(admission.bytes < 3e6, `${admission.bytes} bytes are held`)
  await stream.return()
  await until(() => admission.rows === 0, 'its rows leave')
})
