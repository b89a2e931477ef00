import { test } from 'node:test'
import { compileStage } from '../../src/engine/program.ts'
import { assertByTheBook, drawTask, run } from '../support/drive.ts'
import { scaled } from '../support/full.ts'
import { heldNetwork } from '../support/held.ts'
import { plainEngine } from '../support/plain-arithmetic.ts'
import { drawOneStage } from '../support/networks.ts'
import { createRandom } from '../support/random.ts'

const NETWORKS = scaled(400, 10)

test('the interpreter of programs computes what the equations say, which know no programs', async () => {
  const random = createRandom(31)
  for (let n = 0; n < NETWORKS; n++) {
    const network = drawOneStage(random, 24)
    const loaded = plainEngine.load(network)
    const task = drawTask(loaded.programs[0], 1 + Math.floor(random() * 4), 1 + Math.floor(random() * 5), random)
    assertByTheBook(compileStage(heldNetwork(network).stages[0]), task, await run(loaded, task), `network ${n}`)
    loaded.dispose()
  }
})
