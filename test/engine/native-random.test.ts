import { describe, it } from 'node:test'
import { compileStage } from '../../src/engine/program.ts'
import { createNativeEngine, nativeKernels } from '../../src/engine/native.ts'
import { withoutAddon } from '../support/addon.ts'
import { assertByTheBook, drawTask, run } from '../support/drive.ts'
import { scaled } from '../support/full.ts'
import { heldNetwork } from '../support/held.ts'
import { drawOneStage } from '../support/networks.ts'
import { createRandom } from '../support/random.ts'

const NETWORKS = scaled(4000, 200)

describe('the native engine', { skip: withoutAddon }, () => {
  it(`agrees with double precision on ${NETWORKS} random networks`, async () => {
    const random = createRandom(20)
    const engines = nativeKernels().map((isa) => createNativeEngine({ isa, threads: 3, inlineBelow: 8000 }))
    for (let n = 0; n < NETWORKS; n++) {
      const network = drawOneStage(random)
      const rows = 1 + Math.floor(random() ** 2 * 12)
      const steps = 1 + Math.floor(random() * 5)
      const loaded = engines[n % engines.length].load(network)
      const program = compileStage(heldNetwork(network).stages[0])
      const task = drawTask(program, rows, steps, random)
      assertByTheBook(program, task, await run(loaded, task), `network ${n}`)
      loaded.dispose()
    }
  })
})
