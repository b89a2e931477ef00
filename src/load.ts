import Type from 'typebox'
import { readInput } from './model/input.ts'
import { createPolicy } from './model/policies/policies.ts'
import { readReadout } from './model/policies/readout.ts'
import { createModel, type Model, type ModelDeps } from './model/model.ts'
import { directionsOf, sizesOf, type Layers } from './network/layers.ts'
import { compile } from './tensor/schema.ts'
import { asFault, ModelsError, readModels, type ModelFile } from './weights/folder.ts'
import { listOf } from './weights/layouts/floats.ts'
import { CellOptionsSchema } from './weights/layouts/options.ts'

const readConfig = compile(Type.Object({
  cell: Type.Optional(CellOptionsSchema),
  default: Type.Optional(Type.Boolean()),
  // Read by hand, with the model's own tensors.
  input: Type.Optional(Type.Unknown()),
  readout: Type.Optional(Type.Unknown()),
  feedback: Type.Optional(Type.Object({ policy: Type.String() }))
}, { additionalProperties: false }))

/**
 * Loads the models of a folder, each with its policy, onto the engine.
 *
 * @param warn takes one line for each file or tensor that someone may believe to be used and that is not.
 * @throws ModelsError if a file is wrong, the first of them; the message names it.
 */
export async function loadModels (directory: string, deps: ModelDeps, warn: (message: string) => void = () => {}): Promise<Model[]> {
  const { models, faults: [fault] } = await loadAll(directory, deps, warn)
  if (fault === undefined) return models
  await closeModels(models)
  throw fault
}

/**
 * The same, whatever is wrong with some of them.
 *
 * @throws ModelsError if the folder cannot be read, or there is no model at all.
 */
export async function loadAll (directory: string, deps: ModelDeps, warn: (message: string) => void = () => {}): Promise<{ models: Model[], faults: ModelsError[] }> {
  const files = await readModels(directory, warn)
  const loaded = await Promise.all(files.map((file) => file instanceof ModelsError ? file : loadModel(file, deps).catch(asFault)))
  const faults = loaded.filter((one) => one instanceof ModelsError)
  const models = loaded.flatMap((one) => one instanceof ModelsError ? [] : [one])
  for (const { name, unusedTensors } of models) {
    if (unusedTensors.length > 0) warn(`model ${name}: nothing uses the tensors ${listOf(unusedTensors)} of its file`)
  }
  return { models, faults }
}

export async function closeModels (models: readonly Model[]): Promise<void> {
  await Promise.all(models.map((model) => model.close()))
}

/** @throws ModelsError */
async function loadModel (file: ModelFile, deps: ModelDeps): Promise<Model> {
  const { name, version, config, folder, tensor, tensors, layers } = file
  try {
    const { feedback, default: isDefault, input: from, readout: to } = readConfig(config, '')
    const input = from === undefined ? undefined : readInput(from, tensor)
    const readout = to === undefined ? undefined : readReadout(to, tensor)
    const policy = await createPolicy(feedback, { layers, folder, tensor, tensors, hosting: deps.hosting, readout, input })
    try {
      return createModel({ name, isDefault, version, layers, policy, input, readout: to, unusedTensors: file.unused() }, deps)
    } catch (error) {
      await policy.policy.close?.()
      throw error
    }
  } catch (error) {
    if (error instanceof ModelsError) throw error
    throw new ModelsError(`${folder === undefined ? file.path : `${folder}/config.json`}: ` +
      `${error instanceof Error ? error.message : String(error)} (${file.path} has ${describeSizes(layers)})`)
  }
}

function describeSizes (layers: Layers): string {
  const { I, Hi, Ho } = sizesOf(layers)
  const stack = layers.nodes.length > 1 || directionsOf(layers) > 1 ? `L = ${layers.nodes.length}, D = ${directionsOf(layers)}, ` : ''
  return `${stack}I = ${I}, Hi = ${Hi}, Ho = ${Ho}`
}
