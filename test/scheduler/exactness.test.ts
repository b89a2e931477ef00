import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNativeEngine, nativeKernels } from '../../src/engine/native.ts'
import { testEngine } from '../support/app.ts'
import { plainEngine } from '../support/plain-arithmetic.ts'
import { compareRow, drawRows, rowOf, runTasks } from '../support/tasks.ts'
import { scaled } from '../support/full.ts'
import { isNative } from '../support/small.ts'
import { drawNetwork } from '../support/networks.ts'
import { createRandom, pick, size } from '../support/random.ts'

const NETWORKS = scaled(400)

test('random networks compute what the plain equations say', async (t) => {
  const engine = await testEngine()
  const random = createRandom(17)
  let worst = 0
  for (let n = 0; n < NETWORKS; n++) {
    const network = drawNetwork(random)
    const rows = drawRows(plainEngine, network, random)
    const [actual] = await runTasks(engine, network, [rows])
    const [expected] = await runTasks(plainEngine, network, [rows])
    for (const [name, tensor] of expected.tensors) {
      const found = actual.tensors.get(name)
      tensor.forEach((value, i) => {
        const difference = Math.abs((found?.[i] ?? NaN) - value) / Math.max(1, Math.abs(value))
        assert.ok(difference < 1e-4, `network ${n}, ${name}, ${i}: ${found?.[i]} is not ${value}`)
        worst = Math.max(worst, difference)
      })
    }
  }
  t.diagnostic(`largest difference ${worst.toExponential(1)}`)
})

test('a row has the same bits alone as in any crowd, batch, budget, instruction set and number of threads', async (t) => {
  if (!await isNative()) return t.skip('TensorFlow.js sums in an order that depends on the batch')
  const random = createRandom(23)
  const kernels = nativeKernels()
  for (let n = 0; n < NETWORKS; n++) {
    const network = drawNetwork(random)
    const tasks = Array.from({ length: size(random, 6) }, () => drawRows(plainEngine, network, random))
    const crowd = createNativeEngine({ isa: pick(random, ...kernels), threads: size(random, 3), inlineBelow: pick(random, 0, 1000, Infinity) })
    const together = await runTasks(crowd, network, tasks, { batchRows: size(random, 20), budget: pick(random, 1, 10_000, 2 ** 24) })
    const lone = createNativeEngine({ isa: pick(random, ...kernels), threads: 1, inlineBelow: Infinity })
    for (const [i, task] of tasks.entries()) {
      for (let row = 0; row < task.lengths.length; row++) {
        const [alone] = await runTasks(lone, network, [rowOf(task, row)])
        compareRow(together[i], task, row, alone, (name, actual, expected) => {
          assert.deepEqual(new Uint32Array(actual.buffer, actual.byteOffset, actual.length), new Uint32Array(expected.buffer, expected.byteOffset, expected.length),
            `network ${n}, task ${i}, row ${row}, ${name}`)
        })
      }
    }
  }
})
