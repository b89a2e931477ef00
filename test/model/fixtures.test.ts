import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { loadModels } from '../../src/load.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { readFloats } from '../../src/weights/layouts/floats.ts'
import { parseSafetensors, type StoredTensor } from '../../src/tensor/safetensors.ts'
import { testDeps } from '../support/app.ts'

/** Absolute. docs/performance.md has the measured differences. */
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
      ...(cases.has('support') && { support: floats('support') })
    }
    const lengths = cases.get('lengths')
    const sequence = name.startsWith('step-')
      ? undefined
      : await model.sequence({
        ...state,
        context,
        ...(cases.has('weights') && { parts: ['attention'] }),
        ...(lengths !== undefined && { lengths: int64(lengths) }),
        ...(steps !== undefined && { steps })
      })

    let worst = 0
    const attention = sequence?.parts?.attention
    const answered = new Map<string, unknown>(Object.entries({ ...sequence ?? await model.step(state), weights: attention && fedSteps(attention, lengths && int64(lengths)) }))
    for (const field of ['output', 'h_out', 'c_out', 'h_next', 'weights']) {
      const found = answered.get(field)
      const actual = found instanceof Tensor ? found : undefined
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

/** The weights of the reads that fed the steps, without those of the read that would feed the next one. */
function fedSteps ({ shape: [rows, entries, N], data }: Tensor, lengths = new Array<number>(rows).fill(entries - 1)): Tensor {
  const weights = new Float32Array(rows * (entries - 1) * N)
  lengths.forEach((length, row) => weights.set(data.subarray(row * entries * N, (row * entries + length) * N), row * (entries - 1) * N))
  return new Tensor([rows, entries - 1, N], weights)
}

function int64 ({ bytes }: StoredTensor): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.byteLength / 8 }, (_, i) => Number(view.getBigInt64(i * 8, true)))
}
