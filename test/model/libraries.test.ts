import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setBackend, tensor, tensor3d } from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { layers } from '@tensorflow/tfjs-layers'
import { loadModels } from '../../src/load.ts'
import type { Model } from '../../src/model/model.ts'
import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { readFloats } from '../../src/weights/layouts/floats.ts'
import { testDeps } from '../support/app.ts'
import { writeModels } from '../support/models.ts'
import { f32, writeSafetensors } from '../support/safetensors.ts'
import { createRandom, randomFloats } from '../support/random.ts'

/** What the cells of other libraries answer, under their own names of tensors: see test/fixtures/make_library_fixtures.py. */
const FIXTURES = 'test/fixtures/libraries'

const TOLERANCE = 1e-5

/** The model of one fixture alone, so that another's fault is not its own. */
async function load (t: TestContext, name: string): Promise<Model> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
  t.after(() => rm(folder, { recursive: true }))
  await symlink(resolve(FIXTURES, name), join(folder, name))
  const [model] = await loadModels(folder, await testDeps())
  return model
}

function compare (t: TestContext, answer: object, expected: ReadonlyMap<string, Tensor>): void {
  let worst = 0
  for (const [field, { shape, data }] of expected) {
    const actual: unknown = Reflect.get(answer, field)
    assert.ok(actual instanceof Tensor, field)
    assert.deepEqual(actual.shape, shape, field)
    actual.data.forEach((value, i) => { worst = Math.max(worst, Math.abs(value - data[i])) })
  }
  t.diagnostic(`largest difference ${worst.toExponential(1)}`)
  assert.ok(worst <= TOLERANCE, `differs by ${worst}`)
}

for (const name of readdirSync(FIXTURES).sort()) {
  test(`${name}, under its own names, answers what its library does`, async (t) => {
    const stored = parseSafetensors(readFileSync(`${FIXTURES}/${name}/sequence.safetensors`))
    const tensors = new Map([...stored.keys()].map((field) => {
      const { shape, data } = readFloats(stored, field)
      return [field, new Tensor(shape, data)]
    }))
    const { x, h_in: hIn, c_in: cIn, h_0: h0, ...answer } = Object.fromEntries(tensors)
    const states = { h_in: hIn, ...(cIn !== undefined && { c_in: cIn }), ...(h0 !== undefined && { h_0: h0 }) }
    const model = await load(t, name)
    const { shape: [rows, steps, width] } = x
    if (steps > 1) compare(t, await model.sequence({ x, ...states }), new Map(Object.entries(answer)))
    else compare(t, await model.step({ x: new Tensor([rows, width], x.data), ...states }), new Map([['h_out', answer.h_out]]))
  })
}

test('the documentation has the options of these fixtures, whatever a file of Keras names its tensors', () => {
  const [, section = ''] = /## Names of their own\n([^]*?)\n## /.exec(readFileSync('docs/models.md', 'utf8')) ?? []
  const documented = [...section.matchAll(/^\| .* \| `(\{.*\})` \|$/gm)].map(([, cell]): object => JSON.parse(cell))
  const fixtures = ['tensorflow1-lstm', 'haiku-lstm', 'haiku-rnn', 'onnx-lstm', 'onnx-gru', 'keras-lstm-sigmoid-tanh', 'keras-gru-sigmoid-tanh', 'equations-hx']
  const expected = fixtures.map((name): object => {
    const { cell } = JSON.parse(readFileSync(`${FIXTURES}/${name}/config.json`, 'utf8'))
    if (!name.startsWith('keras')) return cell
    return { ...cell, tensors: { weight_ih: 'kernel', weight_hh: 'recurrent_kernel', bias: 'bias' } }
  })
  assert.deepEqual(documented, expected)
})

test('layers.lstm of TensorFlow.js as it is made by default, with its hard sigmoid, answers the same', async (t) => {
  await setBackend('cpu')
  const random = createRandom(14)
  const [B, T, I, units] = [3, 16, 4, 7]
  const layer = layers.lstm({ units, recurrentInitializer: 'glorotUniform', returnSequences: true })
  const x = randomFloats(B * T * I, random, 3)
  layer.apply(tensor3d(x, [B, T, I]))
  layer.setWeights(layer.getWeights().map(({ shape, size }) => tensor(randomFloats(size, random, 1), shape)))
  const made = layer.apply(tensor3d(x, [B, T, I]))
  assert.ok(!Array.isArray(made) && 'dataSync' in made)
  const named = layer.getWeights().map((weights, i) => [['kernel', 'recurrent_kernel', 'bias'][i], f32(weights.shape, Array.from(weights.dataSync()))])
  const models = await writeModels(t, {
    'tfjs/model.safetensors': writeSafetensors(Object.fromEntries(named)),
    'tfjs/config.json': JSON.stringify({
      cell: { tensors: { weight_ih: 'kernel', weight_hh: 'recurrent_kernel', bias: 'bias' }, transposed: true, recurrent_activation: 'hard_sigmoid' }
    })
  })
  const [model] = await loadModels(models, await testDeps())
  compare(t, await model.sequence({ x: new Tensor([B, T, I], x) }), new Map([['output', new Tensor([B, T, units], Float32Array.from(made.dataSync()))]]))
})
