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
    const answer = name.startsWith('step-')
      ? await model.step(state)
      : await model.sequence({
        ...state,
        context,
        ...(lengths !== undefined && { lengths: int64(lengths) }),
        ...(steps !== undefined && { steps }),
        ...(cases.has('weights') && { parts: ['attention'] })
      })

    let worst = 0
    const tensors = new Map<string, Tensor | undefined>(Object.entries(answer))
    if ('output' in answer && answer.parts !== undefined) tensors.set('weights', ofSteps(answer.parts.attention, lengths && int64(lengths)))
    for (const field of ['output', 'h_out', 'c_out', 'h_next', 'weights']) {
      const actual = tensors.get(field)
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

/** The entries of `[B][T + 1][N]`, or without `[B]`, that fed a step. */
function ofSteps ({ shape, data }: Tensor, lengths: readonly number[] | undefined): Tensor {
  const [entries, N] = shape.slice(-2)
  const B = data.length / (entries * N)
  const kept = new Float32Array(B * (entries - 1) * N)
  for (let row = 0; row < B; row++) {
    const own = lengths?.[row] ?? entries - 1
    kept.set(data.subarray(row * entries * N, (row * entries + own) * N), row * (entries - 1) * N)
  }
  return new Tensor([...shape.slice(0, -2), entries - 1, N], kept)
}

function int64 ({ bytes }: StoredTensor): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.byteLength / 8 }, (_, i) => Number(view.getBigInt64(i * 8, true)))
}
