import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { loadModels } from '../../src/load.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { readFloats } from '../../src/weights/layouts/floats.ts'
import { parseSafetensors, type StoredTensor } from '../../src/tensor/safetensors.ts'
import { testDeps } from '../support/app.ts'

/** Absolute; what is measured is said in the README. */
const TOLERANCE = 1e-5

const FOLDER = 'test/fixtures'
const index: { made_with: string, fixtures: Array<{ name: string, steps?: number }> } = JSON.parse(readFileSync(`${FOLDER}/fixtures.json`, 'utf8'))
let models: ReturnType<typeof loadModels> | undefined

for (const { name, steps } of index.fixtures) {
  test(`${name} is what ${index.made_with} answers`, async (t) => {
    models ??= loadModels(FOLDER, await testDeps())
    const model = (await models).find((each) => each.name === name)
    assert.ok(model !== undefined)
    const cases = parseSafetensors(await readFile(`${FOLDER}/${name}/cases.safetensors`))
    const floats = (field: string): Tensor => {
      const { shape, data } = readFloats(cases, field)
      return new Tensor(shape, data)
    }
    const state = {
      x: floats('x'),
      ...(cases.has('h_in') && { h_in: floats('h_in') }),
      ...(cases.has('c_in') && { c_in: floats('c_in') })
    }
    const context = {
      ...(cases.has('vectors') && { vectors: floats('vectors') }),
      ...(cases.has('support') && { support: floats('support') }),
      ...(cases.has('weights') && { weights: true })
    }
    const lengths = cases.get('lengths')
    const answer = name.startsWith('step-')
      ? await model.step(state)
      : await model.sequence({
        ...state,
        context,
        ...(lengths !== undefined && { lengths: int64(lengths) }),
        ...(steps !== undefined && { steps })
      })

    let worst = 0
    for (const field of ['output', 'h_out', 'c_out', 'h_next', 'weights']) {
      const actual = new Map<string, Tensor>(Object.entries(answer)).get(field)
      assert.equal(actual !== undefined, cases.has(field), field)
      if (actual === undefined) continue
      const expected = floats(field)
      assert.deepEqual(actual.shape, expected.shape, field)
      actual.data.forEach((value, i) => { worst = Math.max(worst, Math.abs(value - expected.data[i])) })
    }
    t.diagnostic(`largest difference ${worst.toExponential(1)}`)
    assert.ok(worst <= TOLERANCE, `differs by ${worst}`)
  })
}

function int64 ({ bytes }: StoredTensor): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.byteLength / 8 }, (_, i) => Number(view.getBigInt64(i * 8, true)))
}
