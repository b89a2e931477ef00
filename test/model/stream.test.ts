import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { test } from 'node:test'
import { unboundCall } from '../../src/model/call.ts'
import type { SequenceStates, SequenceStep } from '../../src/model/answers.ts'
import type { Model } from '../../src/model/model.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { onlyFull } from '../support/full.ts'
import { buildModel, isNative, stepsOf, tensor } from '../support/small.ts'
import { until } from '../support/until.ts'

/** Everything that a stream yields: its steps and, if it ends well, the states. */
async function readAll (stream: ReturnType<Model['stream']>): Promise<{ steps: SequenceStep[], states: SequenceStates | undefined }> {
  const steps: SequenceStep[] = []
  let states: SequenceStates | undefined
  for await (const lines of stream) {
    for (const line of lines) {
      if ('t' in line) steps.push(line)
      else states = line
    }
  }
  return { steps, states }
}

/** Step `t` of each row of `[B, T, W]`. */
const stepOf = ({ shape: [B, T, W], data }: Tensor, t: number): Tensor =>
  new Tensor([B, W], Float32Array.from({ length: B * W }, (_, i) => data[(Math.floor(i / W) * T + t) * W + i % W]))

test('a stream tells the steps and the states of the sequence, bit for bit', async () => {
  const { model, admission } = await buildModel(97)
  // More steps than may wait for a reader at once; nobody reads the last ones.
  const request = { x: tensor(3, 500, 3), lengths: [490, 7, 1], h_in: tensor(97) }
  const { output, ...states } = await model.sequence(request)
  const told = await readAll(model.stream(request))
  assert.deepEqual(told.steps.map(({ t }) => t), Array.from({ length: 500 }, (_, t) => t))
  if (await isNative()) {
    for (const { t, output: step } of told.steps) assert.deepEqual(step, stepOf(output, t))
    assert.deepEqual(told.states, states)
  }
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})

test('without a batch dimension the lines have none; with the last step alone there are only the states', async () => {
  const { model } = await buildModel()
  const { steps, states } = await readAll(model.stream({ x: tensor(4, 3) }))
  assert.deepEqual(steps.map(({ output }) => output?.shape), [[5], [5], [5], [5]])
  assert.deepEqual([states?.h_out.data, states?.h_next?.shape], [steps[3].output?.data, [5]])
  const last = await readAll(model.stream({ x: tensor(4, 3), return_sequences: false }))
  assert.deepEqual(last, { steps: [], states })
})

test('rows wait for a slow reader, others do not, and nothing is lost', async () => {
  const { model, calls, admission } = await buildModel(97)
  const x = tensor(2, 3000, 3)
  const stream = model.stream({ x })
  const first = await stream.next()
  // There is room for 2^16 numbers, of 2 rows of 97.
  const computed = 2 * Math.floor(2 ** 16 / (2 * 97))
  await until(() => stepsOf(calls) === computed, `${computed} steps are computed while nobody reads`)
  await setTimeout(100)
  assert.equal(stepsOf(calls), computed)
  assert.equal(admission.rows, 2)
  await Promise.all(Array.from({ length: 10 }, async () => await model.step({ x: tensor(3) })))
  assert.equal(stepsOf(calls), computed + 10)

  const { steps, states } = await readAll(stream)
  assert.ok(Array.isArray(first.value))
  const all = [...first.value, ...steps]
  assert.deepEqual(all.map((line) => 't' in line && line.t), Array.from({ length: 3000 }, (_, t) => t))
  const whole = await model.sequence({ x })
  if (await isNative()) {
    for (const line of all) if ('t' in line) assert.deepEqual(line.output, stepOf(whole.output, line.t))
    assert.deepEqual(states?.c_out, whole.c_out)
  }
})

test('a reader who leaves takes the rows out, parked or not', async () => {
  const { model, calls, admission } = await buildModel(97)
  for (const pause of [0, 50]) {
    const call = unboundCall()
    const stream = model.stream({ x: tensor(2, 20_000, 3) }, call)
    await stream.next()
    await setTimeout(pause)
    await stream.return()
    await until(() => admission.rows === 0, 'its rows leave')
    assert.deepEqual([call.cancelled, admission.rows, admission.bytes], [true, 0, 0])
  }
  assert.ok(stepsOf(calls) < 8000, `${stepsOf(calls)} steps`)
})

test('one that is late is refused once what was computed has been read', onlyFull('takes seconds'), async () => {
  // So large a cell that no call of the engine fills the window.
  const { model, admission } = await buildModel(300)
  // Time for some steps, on however slow a machine.
  const start = performance.now()
  await model.sequence({ x: tensor(2, 10, 3) })
  const call = { deadline: performance.now() + 1000 + 20 * (performance.now() - start), cancelled: false }
  const stream = model.stream({ x: tensor(2, 20_000, 3) }, call)
  await stream.next()
  await until(() => admission.rows === 0, 'its rows leave')
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
  const { value } = await stream.next()
  assert.ok(Array.isArray(value) && value.length > 0)
  await assert.rejects(readAll(stream), { name: 'InputError', kind: 'late', model: 'test' })
})

test('steps before one that overflows are streamed', async () => {
  const { model, admission } = await buildModel()
  const x = new Float32Array(3000)
  // All eight signs, so that one of them adds up to more than a float32 can hold.
  for (let i = 0; i < 24; i++) x[300 + i] = (Math.floor(i / 3) >> (i % 3)) % 2 === 0 ? 3.4e38 : -3.4e38
  const stream = model.stream({ x: new Tensor([1000, 3], x) })
  const told: number[] = []
  let step = NaN
  await assert.rejects(async () => {
    for await (const lines of stream) told.push(...lines.map((line) => 't' in line ? line.t : -1))
  }, ({ message }: Error) => {
    step = Number(/row 0, step (\d+): the arithmetic overflows/.exec(message)?.[1])
    return true
  })
  assert.deepEqual(told, Array.from({ length: step }, (_, t) => t))
  assert.ok(step >= 100)
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})
