import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cell } from '../../src/network/cell.ts'
import { createPolicy } from '../../src/model/policies/policies.ts'
import { createModel, type Model } from '../../src/model/model.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { testEngine, testDeps, testHosting } from '../support/app.ts'
import { drawCell } from '../support/networks.ts'
import { createRandom, randomFloats } from '../support/random.ts'
import { bareLayers, referenceStep } from '../support/reference.ts'

async function buildModel (cell: Cell): Promise<Model> {
  const policy = await createPolicy(undefined, { layers: bareLayers(cell), folder: undefined, tensor: () => { throw new Error('no tensors') }, tensors: () => [], hosting: testHosting() })
  return await createModel({ name: 'test', version: '1', layers: bareLayers(cell), policy }, await testDeps({ maxSteps: 1000 }))
}

function tensor (shape: number[], random: () => number): Tensor {
  return new Tensor(shape, randomFloats(shape.reduce((a, b) => a * b), random))
}

for (const [I, Hi, Ho] of [[1, 1, 1], [3, 1, 97], [97, 211, 3], [211, 97, 1], [16, 32, 16]]) {
  test(`a step of I = ${I}, Hi = ${Hi}, Ho = ${Ho} is the equations'`, async () => {
    const cell = drawCell({ I, Hi, Ho }, createRandom(1))
    const model = await buildModel(cell)
    const random = createRandom(7)
    for (const B of [1, 3, 97]) {
      const request = { x: tensor([B, I], random), h_in: tensor([B, Hi], random), c_in: tensor([B, Ho], random) }
      const { h_out: h, c_out: c } = await model.step(request)
      assert.ok(c !== undefined)
      const row = (t: Tensor, b: number, width: number) => t.data.subarray(b * width, (b + 1) * width)
      for (let b = 0; b < B; b++) {
        const expected = referenceStep(cell, row(request.x, b, I), row(request.h_in, b, Hi), row(request.c_in, b, Ho))
        for (let j = 0; j < Ho; j++) {
          assert.ok(Math.abs(h.data[b * Ho + j] - expected.h[j]) < 1e-5)
          assert.ok(Math.abs(c.data[b * Ho + j] - expected.c[j]) < 1e-5)
        }
      }
    }
  })
}

test('a sequence without a policy takes one step alone, and says why and what to do', async () => {
  const model = await buildModel(drawCell({ I: 2, Hi: 6, Ho: 3 }, createRandom(1)))
  const random = createRandom(3)
  const one = await model.sequence({ x: tensor([2, 1, 2], random), h_in: tensor([6], random) })
  assert.deepEqual(one.output.shape, [2, 1, 3])
  assert.ok(!('h_next' in one), 'only the client knows what comes next')
  await assert.rejects(model.sequence({ x: tensor([2, 3, 2], random) }), (error) => {
    assert.ok(error instanceof Error)
    assert.match(error.message, /3 steps need a feedback policy .*Hi = 6.*Ho = 3.*\/step.*config\.json/)
    return true
  })
})

test('an answer too large to be written is refused before it is computed', async () => {
  const model = await buildModel(drawCell({ I: 1, Hi: 1, Ho: 1 }, createRandom(1)))
  const big = new Tensor([1000, 1], new Float32Array(1000))
  await assert.rejects(model.sequence({ x: big, steps: 2 }), /2000 steps, more than the 1000 allowed/)
})

test('requests that run together do not touch each other\'s results', async () => {
  // The native engine promises the same bits; TensorFlow.js sums in an order that depends on the batch.
  const tolerance = (await testEngine()).name === 'native' ? 0 : 1e-6
  const model = await buildModel(drawCell({ I: 3, Hi: 5, Ho: 5 }, createRandom(1)))
  const random = createRandom(11)
  const requests = Array.from({ length: 40 }, (_, i) => ({ x: tensor([1 + i % 3, 1 + i % 7, 3], random), c_in: tensor([5], random) }))
  const together = await Promise.all(requests.map(async (request) => await model.sequence(request)))
  for (const [i, request] of requests.entries()) {
    const alone = await model.sequence(request)
    for (const [j, value] of alone.output.data.entries()) assert.ok(Math.abs(value - together[i].output.data[j]) <= tolerance)
  }
})

test('a row that overflows fails its own request alone', async () => {
  const cell = { ...drawCell({ I: 3, Hi: 5, Ho: 5 }, createRandom(1)), weightIh: new Float32Array(60).fill(4), weightHh: new Float32Array(100).fill(-4) }
  const model = await buildModel(cell)
  const good = { x: tensor([2, 4, 3], createRandom(5)) }
  const bad = { x: new Tensor([1, 2, 3], new Float32Array(6).fill(3e38)), h_in: new Tensor([5], new Float32Array(5).fill(3e38)) }
  const expected = await model.sequence(good)
  const [first, failure, second] = await Promise.allSettled([model.sequence(good), model.sequence(bad), model.sequence(good)])
  assert.equal(failure.status, 'rejected')
  assert.match(String(failure.reason), /row 0, step 0: the arithmetic overflows/)
  for (const result of [first, second]) {
    assert.ok(result.status === 'fulfilled')
    assert.ok(result.value.output.data.every((value, i) => Math.abs(value - expected.output.data[i]) < 1e-6))
  }
})
