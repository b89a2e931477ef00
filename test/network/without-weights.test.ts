import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileStage } from '../../src/engine/program.ts'
import { withoutWeights } from '../../src/network/without-weights.ts'
import { scaled } from '../support/full.ts'
import { drawNetwork } from '../support/networks.ts'
import { createRandom } from '../support/random.ts'

/** What it is built from, weights by how many numbers they have. */
function built (value: unknown, numbers: (weights: Float32Array) => number): unknown {
  return JSON.parse(JSON.stringify(value, (_, field: unknown) => field instanceof Float32Array ? numbers(field) : field))
}

test('a stage without its weights is built as it was, and compiles to the same program', () => {
  const random = createRandom(57)
  for (let n = 0; n < scaled(300, 10); n++) {
    for (const stage of drawNetwork(random).stages) {
      const bare = withoutWeights(stage)
      const none = (): number => 0
      assert.deepEqual(built(bare, ({ length }) => length), built(stage, none))
      assert.deepEqual(built(compileStage(bare), none), built(compileStage(stage), none))
    }
  }
})
