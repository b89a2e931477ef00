import Type from 'typebox'
import { readInput } from './model/input.ts'
import { createPolicy } from './model/policies/policies.ts'
import { readReadout } from './model/policies/readout.ts'
import { createModel, type Model, type ModelDeps } from './model/model.ts'
import { directionsOf, sizesOf, type Layers } from './network/layers.ts'
import { compile } from './tensor/schema.ts'
import { ModelsError, readModels, type ModelFile } from './weights/folder.ts'
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
 * @param warn is told, one line each, of files and tensors that someone may believe to be used and that are not.
 * @throws ModelsError at the first file that is wrong; the message names it.
 */
export async function loadModels (directory: string, deps: ModelDeps, warn: (message: string) => void = () => {}): Promise<Model[]> {
  const files = await readModels(directory, warn)
  const loaded = await Promise.allSettled(files.map((file) => loadModel(file, deps)))
  const models = loaded.filter((one) => one.status === 'fulfilled').map(({ value }) => value)
  const failure = loaded.find((one) => one.status === 'rejected')
  if (failure !== undefined) {
    await closeModels(models)
    throw failure.reason
  }
  for (const { name, unusedTensors } of models) {
    if (unusedTensors.length > 0) warn(`model ${name}: nothing uses the tensors ${listOf(unusedTensors)} of its file`)
  }
  return models
}

export async function closeModels (models: readonly Model[]): Promise<void> {
  await Promise.all(models.map((model) => model.close()))
}

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
