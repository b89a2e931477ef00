import assert from 'node:assert/strict'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test, type TestContext } from 'node:test'
import { loadModels } from '../../src/load.ts'
import type { Model } from '../../src/model/model.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { testDeps } from '../support/app.ts'
import { readCase, TORCH_FIXTURES, torchFixtures } from '../support/torch-fixtures.ts'

/** Absolute; what is measured is said in the README. */
const TOLERANCE = 1e-5

/** The model of one fixture alone, so that another's fault is not its own. */
async function load (t: TestContext, name: string): Promise<Model> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
  t.after(() => rm(folder, { recursive: true }))
  await symlink(resolve(TORCH_FIXTURES, name), join(folder, name))
  const [model] = await loadModels(folder, await testDeps())
  return model
}

/** Compares the fields of an answer, all that it has. */
function compare (t: TestContext, answer: object, expected: Readonly<Record<string, Tensor>>): void {
  assert.deepEqual(Object.keys(answer).sort(), Object.keys(expected).sort())
  let worst = 0
  for (const [field, actual] of Object.entries(answer)) {
    assert.ok(actual instanceof Tensor, field)
    assert.deepEqual(actual.shape, expected[field].shape, field)
    actual.data.forEach((value, i) => { worst = Math.max(worst, Math.abs(value - expected[field].data[i])) })
  }
  t.diagnostic(`largest difference ${worst.toExponential(1)}`)
  assert.ok(worst <= TOLERANCE, `differs by ${worst}`)
}

for (const { name, cases } of torchFixtures.fixtures) {
  test(`${name} answers the sequence of ${torchFixtures.made_with}`, async (t) => {
    const { request, answer } = readCase(name, 'sequence')
    const model = await load(t, name)
    // In a stack the next h_in is the h_out; two directions have none.
    compare(t, await model.sequence(request), { ...answer, ...(cases.includes('step') && { h_next: answer.h_out }) })
  })

  if (cases.includes('step')) {
    test(`${name} answers the step of ${torchFixtures.made_with}`, async (t) => {
      const { request, answer } = readCase(name, 'step')
      compare(t, await (await load(t, name)).step(request), { ...answer })
    })

    test(`${name} answers a sequence step by step`, async (t) => {
      const { request: { x, h_in: hIn, c_in: cIn, lengths }, answer } = readCase(name, 'sequence')
      const model = await load(t, name)
      const [rows, steps, I] = x.shape
      let states = { ...(hIn !== undefined && { h_in: hIn }), ...(cIn !== undefined && { c_in: cIn }) }
      for (let step = 0; step < steps; step++) {
        const now = new Float32Array(rows * I)
        for (let row = 0; row < rows; row++) now.set(x.data.subarray((row * steps + step) * I, (row * steps + step + 1) * I), row * I)
        const { h_out: hOut, c_out: cOut }: { h_out: Tensor, c_out?: Tensor } = await model.step({ x: new Tensor([rows, I], now), ...states })
        // The rows whose last step this is.
        for (let row = 0; row < rows; row++) {
          if ((lengths?.[row] ?? steps) !== step + 1) continue
          const of = ({ data, shape: [, width] }: Tensor): Tensor => new Tensor([width], data.slice(row * width, (row + 1) * width))
          compare(t, { h_out: of(hOut), ...(cOut !== undefined && { c_out: of(cOut) }) }, { h_out: of(answer.h_out), ...(answer.c_out !== undefined && { c_out: of(answer.c_out) }) })
        }
        states = { h_in: hOut, ...(cOut !== undefined && { c_in: cOut }) }
      }
    })
  } else {
    test(`${name}, which has two directions, has no single step`, async (t) => {
      const { request: { x } } = readCase(name, 'sequence')
      const model = await load(t, name)
      await assert.rejects(model.step({ x: new Tensor([1, x.shape[2]], new Float32Array(x.shape[2])) }), /direction/)
    })
  }
}
