import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import { createAdmission } from '../../src/scheduler/admission.ts'
import { unboundCall } from '../../src/model/call.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { buildModel, isNative, stepsOf, tensor } from '../support/small.ts'

test('requests that come together are computed together', async () => {
  const { model, calls } = await buildModel()
  await Promise.all(Array.from({ length: 100 }, async () => await model.step({ x: tensor(3) })))
  assert.deepEqual(calls, [{ rows: 64, steps: 1 }, { rows: 36, steps: 1 }])
})

test('with batches of one, each row is computed alone', async () => {
  const { model, calls } = await buildModel(5, { batchRows: 1 })
  await Promise.all(Array.from({ length: 5 }, async () => await model.step({ x: tensor(3) })))
  assert.deepEqual(calls, new Array(5).fill({ rows: 1, steps: 1 }))
})

test('rows of every length share a batch, and a long sequence blocks no crowd of steps', async () => {
  const { model, calls } = await buildModel(97)
  const T = await isNative() ? 100_000 : 2000
  let done = false
  const long = model.sequence({ x: tensor(1, T, 3), return_sequences: false }).then(() => { done = true })
  await setImmediate()
  for (let i = 0; i < 20; i++) {
    await Promise.all(Array.from({ length: 10 }, async () => await model.step({ x: tensor(3) })))
  }
  assert.equal(done, false, 'the crowd did not wait for the sequence')
  await long
  assert.ok(calls.some(({ rows }) => rows === 11), 'they shared batches')
  assert.equal(stepsOf(calls), T + 200)
})

test('a run of many steps is few calls of an engine that can do it, and the same bits as its steps', async (t) => {
  if (!await isNative()) return t.skip('TensorFlow.js does one step a call')
  const { model, calls } = await buildModel(97)
  const x = tensor(3, 500, 3)
  const whole = await model.sequence({ x, lengths: [500, 499, 3] })
  assert.ok(calls.length < 100, `${calls.length} calls`)
  assert.ok(calls.some(({ steps }) => steps > 10))
  const row = 1
  let state = {}
  for (let t = 0; t < 499; t++) {
    const at = (row * 500 + t) * 3
    const { h_out: h, c_out: c } = await model.step({ x: new Tensor([3], x.data.slice(at, at + 3)), ...state })
    assert.deepEqual(h.data, whole.output.data.slice((row * 500 + t) * 97, (row * 500 + t + 1) * 97))
    state = { h_in: h, c_in: c }
  }
})

test('a caller who goes takes the rows out, and the computing stops', async () => {
  const { model, calls, admission } = await buildModel()
  const call = unboundCall()
  const answer = model.sequence({ x: tensor(10, 90_000, 3), return_sequences: false }, call)
  for (let i = 0; i < 5; i++) await setImmediate()
  assert.ok(admission.rows === 10 && calls.length > 0)
  call.cancelled = true
  await assert.rejects(answer, { name: 'InputError', kind: 'gone' })
  const computed = stepsOf(calls)
  assert.ok(computed < 450_000, `${computed} steps`)
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
  await model.step({ x: tensor(3) })
  assert.equal(stepsOf(calls), computed + 1, 'nothing but the new request was computed')
})

test('an answer that is late is refused, and its rows leave', async () => {
  const { model, calls, admission } = await buildModel()
  const x = tensor(10, 90_000, 3)
  const call = { deadline: performance.now() + 5, cancelled: false }
  await assert.rejects(model.sequence({ x, return_sequences: false }, call), { name: 'InputError', kind: 'late' })
  assert.ok(performance.now() < call.deadline + 5000)
  assert.ok(stepsOf(calls) < 900_000)
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})

test('past the bound requests are refused, and every accepted one is answered', async () => {
  const { model, admission } = await buildModel(5, { admission: createAdmission(10, 1e9) })
  const results = await Promise.allSettled(Array.from({ length: 15 }, async () => await model.step({ x: tensor(3) })))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 10)
  for (const result of results) {
    if (result.status === 'rejected') assert.equal(result.reason.kind, 'unavailable')
  }
  assert.deepEqual([admission.rows, admission.bytes, admission.full], [0, 0, false])
  await model.step({ x: tensor(20, 3) }) // larger than the limit, but alone
})

test('a bound in bytes counts the answer too', async () => {
  const { model } = await buildModel(5, { admission: createAdmission(1e6, 10_000) })
  const [first, second] = await Promise.allSettled([model.sequence({ x: tensor(1, 400, 3) }), model.sequence({ x: tensor(1, 400, 3) })])
  assert.equal(first.status, 'fulfilled')
  assert.equal(second.status, 'rejected')
})

test('batch-mates of a row that overflows get their exact bits', async () => {
  const { model } = await buildModel()
  const good = { x: tensor(2, 40, 3) }
  const alone = await model.sequence(good)
  const bad = () => model.sequence({ x: new Tensor([1, 3, 3], new Float32Array(9).fill(3.4e38)), h_in: new Tensor([5], Float32Array.of(3.4e38, -3.4e38, 3.4e38, 3.4e38, -3.4e38)) })
  const results = await Promise.allSettled([bad(), model.sequence(good), bad(), model.sequence(good), bad()])
  for (const i of [1, 3]) {
    const result = results[i]
    assert.ok(result.status === 'fulfilled' && 'output' in result.value)
    if (await isNative()) assert.deepEqual(result.value, alone)
    else assert.ok(result.value.output.data.every((value, j) => Math.abs(value - alone.output.data[j]) < 1e-6))
  }
})
