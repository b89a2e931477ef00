import { test } from 'node:test'
import { assertByTheBook, drawTask, run } from '../support/drive.ts'
import { scaled } from '../support/full.ts'
import { plainEngine } from '../support/plain-arithmetic.ts'
import { drawOneStage } from '../support/networks.ts'
import { createRandom } from '../support/random.ts'

const NETWORKS = scaled(400, 10)

test('the interpreter of programs computes what the equations say, which know no programs', async () => {
  const random = createRandom(31)
  for (let n = 0; n < NETWORKS; n++) {
    const loaded = plainEngine.load(drawOneStage(random, 24))
    const task = drawTask(loaded.programs[0], 1 + Math.floor(random() * 4), 1 + Math.floor(random() * 5), random)
    assertByTheBook(loaded.programs[0], task, await run(loaded, task), `network ${n}`)
    loaded.dispose()
  }
})
