import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import type { Engine } from '../../src/engine/engine.ts'
import type { TfjsBackend } from '../../src/engine/tfjs.ts'
import { startTfjs } from '../support/engines.ts'
import { scaled } from '../support/full.ts'
import { plainEngine } from '../support/plain-arithmetic.ts'
import { drawRows, runTasks } from '../support/tasks.ts'
import { drawNetwork } from '../support/networks.ts'
import { createRandom } from '../support/random.ts'

const BACKENDS: readonly TfjsBackend[] = ['wasm', 'tensorflow']

async function start (t: TestContext, backend: TfjsBackend): Promise<Engine | undefined> {
  const engine = await startTfjs(backend)
  if (engine === undefined) t.skip('@tensorflow/tfjs-node is not installed')
  return engine
}

test('one that starts while another does is as good', async () => {
  const engines = await Promise.all([startTfjs('wasm'), startTfjs('wasm'), startTfjs('wasm')])
  assert.deepEqual(engines.map((engine) => engine?.backend), ['wasm', 'wasm', 'wasm'])
})

for (const backend of BACKENDS) {
  test(`${backend} computes random networks as the equations say`, async (t) => {
    const engine = await start(t, backend)
    if (engine === undefined) return
    assert.deepEqual([engine.name, engine.backend], ['tfjs', backend])
    const random = createRandom(5)
    for (let n = 0; n < scaled(20, 4); n++) {
      const network = drawNetwork(random)
      const rows = drawRows(plainEngine, network, random)
      const [[actual], [expected]] = [await runTasks(engine, network, [rows]), await runTasks(plainEngine, network, [rows])]
      for (const [name, tensor] of expected.tensors) {
        tensor.forEach((value, i) => assert.ok(Math.abs((actual.tensors.get(name)?.[i] ?? NaN) - value) < 1e-4, `network ${n}, ${name}, ${i}`))
      }
    }
  })

  test(`${backend} keeps no tensor of a step, and none of a network that is disposed of`, async (t) => {
    const engine = await start(t, backend)
    if (engine === undefined) return
    const random = createRandom(7)
    const before = tf.memory().numTensors
    for (let n = 0; n < 5; n++) {
      const network = drawNetwork(random)
      const loaded = engine.load(network)
      const held = tf.memory().numTensors
      await runTasks(engine, network, [drawRows(plainEngine, network, random)])
      assert.equal(tf.memory().numTensors, held)
      loaded.dispose()
      assert.equal(tf.memory().numTensors, before)
    }
  })
}
