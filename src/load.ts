import Type from 'typebox'
import { createPolicy } from './model/policies/policies.ts'
import { createModel, type Model, type ModelDeps } from './model/model.ts'
import { compile } from './tensor/schema.ts'
import { ModelsError, readModels, type ModelFile } from './weights/folder.ts'

const readConfig = compile(Type.Object({
  default: Type.Optional(Type.Boolean()),
  feedback: Type.Optional(Type.Object({ policy: Type.String() }))
}, { additionalProperties: false }))

/**
 * The models of a folder, each with its policy, ready on the engine.
 *
 * @throws ModelsError at the first file that is wrong; the message names it.
 */
export async function loadModels (directory: string, deps: ModelDeps): Promise<Model[]> {
  const files = await readModels(directory)
  const loaded = await Promise.allSettled(files.map((file) => loadModel(file, deps)))
  const models = loaded.filter((one) => one.status === 'fulfilled').map(({ value }) => value)
  const failure = loaded.find((one) => one.status === 'rejected')
  if (failure === undefined) return models
  await closeModels(models)
  throw failure.reason
}

export async function closeModels (models: readonly Model[]): Promise<void> {
  await Promise.all(models.map((model) => model.close()))
}

async function loadModel (file: ModelFile, deps: ModelDeps): Promise<Model> {
  const { name, cell, config, folder, tensor, tensors } = file
  try {
    const { feedback, default: isDefault } = readConfig(config, '')
    const policy = await createPolicy(feedback, { sizes: cell.sizes, folder, tensor, tensors, hosting: deps.hosting })
    try {
      return createModel({ name, isDefault, cell, policy }, deps)
    } catch (error) {
      await policy.policy.close?.()
      throw error
    }
  } catch (error) {
    const { I, Hi, Ho } = cell.sizes
    throw new ModelsError(`${folder === undefined ? file.path : `${folder}/config.json`}: ` +
      `${error instanceof Error ? error.message : String(error)} (${file.path} has I = ${I}, Hi = ${Hi}, Ho = ${Ho})`)
  }
}
