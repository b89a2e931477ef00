import Type from 'typebox'
import type { Layers } from './network/layers.ts'
import { createPolicy } from './model/policies/policies.ts'
import { createModel, type Model, type ModelDeps } from './model/model.ts'
import { compile } from './tensor/schema.ts'
import { ModelsError, readModels, type ModelFile } from './weights/folder.ts'

const readConfig = compile(Type.Object({
  default: Type.Optional(Type.Boolean()),
  feedback: Type.Optional(Type.Object({ policy: Type.String() }))
}, { additionalProperties: false }))

/**
 * Loads the models of a folder, each with its policy, onto the engine.
 *
 * @throws ModelsError at the first file that is wrong; the message names it.
 */
export async function loadModels (directory: string, deps: ModelDeps): Promise<Model[]> {
  const files = await readModels(directory)
  return await Promise.all(files.map((file) => loadModel(file, deps)))
}

async function loadModel (file: ModelFile, deps: ModelDeps): Promise<Model> {
  const { name, cell, config, folder, tensor } = file
  try {
    const { feedback, default: isDefault } = readConfig(config, '')
    const layers: Layers = { kind: cell.kind, nodes: [[{ cell }]] }
    const policy = await createPolicy(feedback, { layers, folder, tensor })
    return createModel({ name, isDefault, layers, policy }, deps)
  } catch (error) {
    const { I, Hi, Ho } = cell.sizes
    throw new ModelsError(`${folder === undefined ? file.path : `${folder}/config.json`}: ` +
      `${error instanceof Error ? error.message : String(error)} (${file.path} has I = ${I}, Hi = ${Hi}, Ho = ${Ho})`)
  }
}
