import type { Floats } from '../../../weights/layouts/floats.ts'
import type { Description } from '../description.ts'
import { ImportError, quote } from '../import-error.ts'
import { parseJson } from '../json.ts'
import type { Dialect } from './activations.ts'
import { readHdf5, type Hdf5Contents } from './hdf5.ts'
import { describeKeras } from './layers.ts'

const WEIGHTS = 'model_weights'

/**
 * Describes a `.h5` file of Keras 2 or 3: a model's configuration and its weights.
 *
 * @throws ImportError
 */
export async function describeH5 (bytes: Uint8Array, read: (share: number) => void): Promise<Description> {
  const contents = await readHdf5(bytes, read)
  const root = contents.attributes.get('')
  const config = root?.model_config
  if (typeof config !== 'string') throw new ImportError('has no model_config: it holds only weights; model.save("model.keras") writes both')
  const version = root?.keras_version ?? contents.attributes.get(WEIGHTS)?.keras_version
  return describeKeras(parseJson(config, 'its model_config'), (name) => () => layerWeights(contents, name), dialectOf(version))
}

/** The dialect of a version of Keras. */
export function dialectOf (version: unknown): Dialect {
  const text = typeof version === 'string' ? version : 'of an unknown version'
  return { format: `Keras ${quote(text)}`, hardSigmoid: /^[012]\./.test(text) ? 0.2 : 1 / 6 }
}

function layerWeights ({ attributes, tensors }: Hdf5Contents, layer: string): Floats[] {
  const group = `${WEIGHTS}/${layer}`
  const names = attributes.get(group)?.weight_names
  if (names === undefined || typeof names === 'string') throw new ImportError('has no weights in the file')
  return names.map((name) => {
    const tensor = tensors.get(`${group}/${name}`)
    if (tensor === undefined) throw new ImportError(`${quote(name)} is missing`)
    return tensor
  })
}
