import Type from 'typebox'
import { createPolicy } from './model/policies/policies.ts'
import { createModel, type Model, type ModelDeps } from './model/model.ts'
import type { Cell } from './network/cell.ts'
import { directionsOf } from './network/layers.ts'
import { compile } from './tensor/schema.ts'
import { ModelsError, readModels, type ModelFile } from './weights/folder.ts'
import { CellOptionsSchema } from './weights/layouts/options.ts'

const readConfig = compile(Type.Object({
  cell: Type.Optional(CellOptionsSchema),
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
  return await Promise.all(files.map((file) => loadModel(file, deps)))
}

async function loadModel (file: ModelFile, deps: ModelDeps): Promise<Model> {
  const { name, config, folder, tensor } = file
  const cell = onlyCell(file)
  try {
    const { feedback, default: isDefault } = readConfig(config, '')
    const policy = await createPolicy(feedback, { sizes: cell.sizes, folder, tensor })
    file.unused()
    return createModel({ name, isDefault, cell, policy }, deps)
  } catch (error) {
    const { I, Hi, Ho } = cell.sizes
    throw new ModelsError(`${folder === undefined ? file.path : `${folder}/config.json`}: ` +
      `${error instanceof Error ? error.message : String(error)} (${file.path} has I = ${I}, Hi = ${Hi}, Ho = ${Ho})`)
  }
}

/** The cell of a network that has no more than one: others cannot be served yet. */
function onlyCell ({ path, layers }: ModelFile): Cell {
  const [[{ cell, projection }]] = layers.nodes
  const [L, D] = [layers.nodes.length, directionsOf(layers)]
  if (L === 1 && D === 1 && projection === undefined) return cell
  throw new ModelsError(`${path}: is a network of L = ${L}, D = ${D}${projection === undefined ? '' : ', with projections'}; only one cell can be served`)
}
