import { messageOf } from './errors.ts'
import Type from './tensor/typebox.ts'
import { readInput } from './model/input.ts'
import { createPolicy } from './model/policies/policies.ts'
import { readReadout } from './model/policies/readout.ts'
import { createModel, type Model, type ModelDeps } from './model/model.ts'
import { directionsOf, sizesOf, type Layers } from './network/layers.ts'
import { PRECISIONS } from './network/precision.ts'
import { compile } from './tensor/schema.ts'
import { asFault, ModelsError, readModel, type ModelFile } from './weights/folder.ts'
import { listOf } from './weights/layouts/floats.ts'
import { CellOptionsSchema } from './weights/layouts/options.ts'
import { findPlaces } from './weights/places.ts'

const readConfig = compile(Type.Object({
  cell: Type.Optional(CellOptionsSchema),
  default: Type.Optional(Type.Boolean()),
  weights: Type.Optional(Type.Enum(PRECISIONS)),
  // Read by hand, with the model's own tensors.
  input: Type.Optional(Type.Unknown()),
  readout: Type.Optional(Type.Unknown()),
  feedback: Type.Optional(Type.Object({ policy: Type.String() }))
}, { additionalProperties: false }))

/**
 * Loads the models of a folder, each with its policy, onto the engine.
 *
 * @param warn receives one line for each file or tensor that looks used but is not.
 * @throws ModelsError for the first file that is wrong; the message names it.
 */
export async function loadModels (directory: string, deps: ModelDeps, warn: (message: string) => void = () => {}): Promise<Model[]> {
  const { models, faults: [fault] } = await loadAll(directory, deps, warn)
  if (fault === undefined) return models
  await closeModels(models)
  throw fault
}

/**
 * The same, but continues if some models are wrong, and returns every fault of each.
 *
 * @param progress receives how many models are done.
 * @throws ModelsError if the folder cannot be read, or there is no model at all.
 */
export async function loadAll (directory: string, deps: ModelDeps, warn: (message: string) => void = () => {}, progress: (done: number, of: number) => void = () => {}): Promise<{ models: Model[], faults: ModelsError[] }> {
  const models: Model[] = []
  const faults: ModelsError[] = []
  const places = await findPlaces(directory, warn)
  // One after the other, so that no two files are in memory at once.
  for (const [i, place] of places.entries()) {
    const file = place instanceof ModelsError ? place : await readModel(place).catch(asFault)
    const loaded = file instanceof ModelsError ? [file] : await loadModel(file, deps, warn)
    if (Array.isArray(loaded)) faults.push(...loaded)
    else models.push(loaded)
    progress(i + 1, places.length)
  }
  return { models, faults }
}

export async function closeModels (models: readonly Model[]): Promise<void> {
  await Promise.all(models.map((model) => model.close()))
}

/**
 * Loads one model.
 *
 * @returns the model, or everything that is wrong with it, as far as one fault does not hide another.
 */
export async function loadModel (file: ModelFile, deps: ModelDeps, warn: (message: string) => void): Promise<Model | ModelsError[]> {
  const { name, version, tensor, tensors } = file
  const faults: ModelsError[] = []
  let sizes = ''
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      const fault = nameFault(file, error, sizes)
      if (!faults.some(({ message }) => message === fault.message)) faults.push(fault)
      return undefined
    }
  }
  const layers = await attempt(() => file.layers)
  if (layers !== undefined) sizes = ` (${file.path} has ${describeSizes(layers)})`
  const config = await attempt(() => readConfig(file.config, ''))
  const { input: from, readout: to }: Readonly<Record<string, unknown>> = { ...Object(file.config) }
  const input = from === undefined ? undefined : await attempt(() => readInput(from, tensor))
  const readout = to === undefined ? undefined : await attempt(() => readReadout(to, tensor))
  // The wiring is made from all of these.
  if (layers === undefined || config === undefined || faults.length > 0) return faults
  const policy = await attempt(() => createPolicy(config.feedback, { layers, folder: file.folder, tensor, tensors, hosting: deps.hosting, readout, input }))
  if (policy === undefined) return faults
  const model = await attempt(() => createModel({ name, isDefault: config.default, version, layers, policy, input, precision: config.weights, readout: to, unusedTensors: file.unused() }, deps))
  if (model !== undefined) {
    if (model.unusedTensors.length > 0) warn(`model ${name}: nothing uses the tensors ${listOf(model.unusedTensors)} of its file`)
    return model
  }
  await policy.policy.close?.()
  return faults
}

function nameFault ({ folder, path }: ModelFile, error: unknown, sizes: string): ModelsError {
  if (error instanceof ModelsError) return error
  return new ModelsError(`${folder === undefined ? path : `${folder}/config.json`}: ${messageOf(error)}${sizes}`)
}

function describeSizes (layers: Layers): string {
  const { I, Hi, Ho } = sizesOf(layers)
  const stack = layers.nodes.length > 1 || directionsOf(layers) > 1 ? `L = ${layers.nodes.length}, D = ${directionsOf(layers)}, ` : ''
  return `${stack}I = ${I}, Hi = ${Hi}, Ho = ${Ho}`
}
