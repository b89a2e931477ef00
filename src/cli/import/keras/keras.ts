import Type from '../../../tensor/typebox.ts'
import { compile } from '../../../tensor/schema.ts'
import type { Floats } from '../../../weights/layouts/floats.ts'
import type { Description } from '../description.ts'
import { ImportError } from '../import-error.ts'
import { parseJson } from '../json.ts'
import { dialectOf } from './h5.ts'
import { readHdf5, type Hdf5Contents } from './hdf5.ts'
import { describeKeras, type FindWeights } from './layers.ts'
import { unzip } from './zip.ts'

const CONFIG = 'config.json'
const METADATA = 'metadata.json'
const WEIGHTS = 'model.weights.h5'

const readMetadata = compile(Type.Object({ keras_version: Type.Optional(Type.Unknown()) }))

/**
 * Describes a `.keras` file of Keras 3: a zip archive that contains the configuration and the weights.
 *
 * @throws ImportError
 */
export async function describeKerasArchive (bytes: Buffer, read: (share: number) => void): Promise<Description> {
  const files = await unzip(bytes, [CONFIG, METADATA, WEIGHTS])
  const [config, metadata, weights] = [CONFIG, METADATA, WEIGHTS].map((name) => {
    const file = files.get(name)
    if (file === undefined) throw new ImportError(`has no ${name}`)
    return file
  })
  const { keras_version: version } = readMetadata(parseJson(metadata.toString(), METADATA), `/${METADATA}`)
  const model = parseJson(config.toString(), CONFIG)
  return describeKeras(model, finder(await readHdf5(weights, read)), dialectOf(version))
}

/** Where each class of layer stores its tensors, in the order of `get_weights()`. */
const PLACES: Readonly<Record<string, { readonly name: string, readonly groups: readonly string[] }>> = {
  Embedding: { name: 'embedding', groups: ['vars'] },
  Dense: { name: 'dense', groups: ['vars'] },
  TimeDistributed: { name: 'time_distributed', groups: ['layer/vars'] },
  LSTM: { name: 'lstm', groups: ['cell/vars'] },
  GRU: { name: 'gru', groups: ['cell/vars'] },
  SimpleRNN: { name: 'simple_rnn', groups: ['cell/vars'] },
  Bidirectional: { name: 'bidirectional', groups: ['forward_layer/cell/vars', 'backward_layer/cell/vars'] }
}

/** The archive names layers after their class and numbers them within it, whatever their names in the model. */
function finder (file: Hdf5Contents): FindWeights {
  const counts = new Map<string, number>()
  return (_, className) => {
    if (!Object.hasOwn(PLACES, className)) return () => []
    const { name, groups } = PLACES[className]
    const count = counts.get(className) ?? 0
    counts.set(className, count + 1)
    return () => groups.flatMap((group) => tensorsOf(file, `layers/${name}${count === 0 ? '' : `_${count}`}/${group}`))
  }
}

function tensorsOf ({ tensors }: Hdf5Contents, group: string): Floats[] {
  const found: Floats[] = []
  for (let tensor = tensors.get(`${group}/0`); tensor !== undefined; tensor = tensors.get(`${group}/${found.length}`)) found.push(tensor)
  return found
}
