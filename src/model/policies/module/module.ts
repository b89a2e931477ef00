import { join } from 'node:path'
import Type, { type TSchema } from '../../../tensor/typebox.ts'
import { compileGiven } from '../../../tensor/schema.ts'
import { directionsOf, sizesOf } from '../../../network/layers.ts'
import { PLAIN } from '../../../network/network.ts'
import { optionsOf } from '../options.ts'
import type { PolicyKind } from '../policy.ts'
import { plainReadout } from '../readout.ts'
import { startModule } from './host.ts'

const readOptions = optionsOf('module', {})

/** `h_in` comes from the model's own JavaScript: `feedback.mjs` in its folder, operator's code that runs in its own process. */
export const moduleFile: PolicyKind = {
  name: 'module',
  summary: 'h_in is what feedback.mjs in the model\'s folder says.',
  async create (options, { layers, folder, tensor, tensors, hosting, readout }) {
    readOptions(options)
    if (layers.nodes.length > 1 || directionsOf(layers) > 1) throw new Error('policy module needs a network of one layer and one direction')
    if (folder === undefined) throw new Error('policy module needs a feedback.mjs in the model\'s own folder')
    const sizes = sizesOf(layers)
    const y = readout && plainReadout(readout, layers, tensor)
    const host = await startModule({ path: join(folder, 'feedback.mjs'), sizes, tensors }, hosting)
    try {
      const context: TSchema = host.context ?? Type.Unknown()
      const readContext = compileGiven(context)
      return {
        context,
        initial: 'read',
        x: sizes.I,
        wiring: { ...PLAIN, h: 'host', hostState: host.state, readout: y },
        host: (given, rows, call) => host.open(readContext(given, '/context'), rows, call),
        close: host.close
      }
    } catch (error) {
      await host.close()
      throw error
    }
  }
}
