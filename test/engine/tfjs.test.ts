import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import * as tf from '@tensorflow/tfjs-core'
import type { Engine } from '../../src/engine/engine.ts'
import { createTfjsEngine, type TfjsBackend } from '../../src/engine/tfjs.ts'
import { randomArray, randomCell, randomNumbers, referenceStep } from '../support/reference.ts'

const BACKENDS: readonly TfjsBackend[] = ['wasm', 'tensorflow']

/** Where tfjs-node is not installed its tests are skipped, unless the environment asks for them. */
async function start (t: TestContext, backend: TfjsBackend): Promise<Engine | undefined> {
  try {
    return await createTfjsEngine(backend)
  } catch (error) {
    if (backend === 'wasm' || process.env.TEST_REQUIRE_TFJS_NODE !== undefined) throw error
    t.skip('@tensorflow/tfjs-node is not installed')
    return undefined
  }
}

for (const backend of BACKENDS) {
  test(`${backend} steps a cell by the equations, at any size and batch`, async (t) => {
    const engine = await start(t, backend)
    if (engine === undefined) return
    assert.deepEqual([engine.name, engine.backend], ['tfjs', backend])
    for (const [I, Hi, Ho] of [[1, 1, 1], [3, 97, 1], [211, 3, 97], [16, 32, 16]]) {
      const cell = randomCell(I, Hi, Ho)
      const stepper = engine.load(cell)
      for (const rows of [1, 3, 17]) {
        const random = randomNumbers(rows)
        // Buffers may be longer than the rows.
        const batch = {
          rows,
          x: randomArray((rows + 2) * I, random),
          hIn: randomArray((rows + 1) * Hi, random),
          cIn: randomArray((rows + 3) * Ho, random),
          hOut: new Float32Array((rows + 1) * Ho),
          cOut: new Float32Array((rows + 1) * Ho)
        }
        await stepper.step(batch)
        for (let b = 0; b < rows; b++) {
          const row = (values: Float32Array, width: number): Float32Array => values.subarray(b * width, (b + 1) * width)
          const expected = referenceStep(cell, row(batch.x, I), row(batch.hIn, Hi), row(batch.cIn, Ho))
          for (let j = 0; j < Ho; j++) {
            assert.ok(Math.abs(batch.hOut[b * Ho + j] - expected.h[j]) < 1e-5)
            assert.ok(Math.abs(batch.cOut[b * Ho + j] - expected.c[j]) < 1e-5)
          }
        }
        assert.ok(batch.hOut.subarray(rows * Ho).every((value) => value === 0), 'what lies past the rows is untouched')
      }
      stepper.dispose()
    }
  })

  test(`${backend} keeps no tensor of a step, and none of a cell that is disposed of`, async (t) => {
    const engine = await start(t, backend)
    if (engine === undefined) return
    const before = tf.memory().numTensors
    const stepper = engine.load(randomCell(3, 5, 7))
    const loaded = tf.memory().numTensors
    const batch = { rows: 1, x: new Float32Array(3), hIn: new Float32Array(5), cIn: new Float32Array(7), hOut: new Float32Array(7), cOut: new Float32Array(7) }
    for (let i = 0; i < 50; i++) await stepper.step(batch)
    assert.equal(tf.memory().numTensors, loaded)
    stepper.dispose()
    assert.equal(tf.memory().numTensors, before)
  })
}
