import { join } from 'node:path'
import Type from 'typebox'
import { InputError } from '../errors.ts'
import type { Layers } from '../network/layers.ts'
import { compile } from '../tensor/schema.ts'
import { readAllFloats, readFloats, type Floats } from './layouts/floats.ts'
import { readLayers } from './layouts/layouts.ts'
import { CellOptionsSchema } from './layouts/options.ts'
import { unusedTensors } from './layouts/unused.ts'
import { ModelsError } from './models-error.ts'
import { findPlaces, type ModelPlace } from './places.ts'
import { exists, readWhole } from './sources/file.ts'
import { readSafetensors } from './sources/safetensors.ts'

export { ModelsError } from './models-error.ts'

/** A model on disk. */
export interface ModelFile {
  /** The name under which the model is served. */
  readonly name: string
  /** The safetensors file, for messages. */
  readonly path: string
  /** The model's own folder, if it has one. */
  readonly folder: string | undefined
  readonly layers: Layers
  /** What `config.json` says, its `cell` alone checked; `{}` where there is none. */
  readonly config: unknown
  /** Another tensor of the file, as float32; throws if there is none of that name. */
  readonly tensor: (name: string) => Floats
  /** All floating-point tensors of the file, by name, as float32. */
  readonly tensors: () => Iterable<readonly [name: string, tensor: Floats]>
  /**
   * The tensors that neither the network uses nor anyone has asked for, by name.
   *
   * @throws ModelsError if one lies in the network's own module.
   */
  readonly unused: () => readonly string[]
}

/** What a configuration says of the cell; the rest of it is not judged here. */
const readCellOptions = compile(Type.Object({ cell: Type.Optional(CellOptionsSchema) }))

/**
 * Reads every model of a folder, as `findPlaces` finds them.
 *
 * @param warn is told, one line each, of files that someone may believe to be served and that are not.
 * @returns each model, or what is wrong with it.
 * @throws ModelsError if the folder cannot be read, or there is no model at all.
 */
export async function readModels (directory: string, warn: (message: string) => void = () => {}): Promise<Array<ModelFile | ModelsError>> {
  const models: Array<ModelFile | ModelsError> = []
  for (const place of await findPlaces(directory, warn)) {
    models.push(place instanceof ModelsError ? place : await readModel(place).catch(asFault))
  }
  return models
}

/** What is wrong with a model; another error is thrown on. */
export function asFault (error: unknown): ModelsError {
  if (error instanceof ModelsError) return error
  throw error
}

/** @throws ModelsError */
async function readModel ({ name, path, folder }: ModelPlace): Promise<ModelFile> {
  try {
    const tensors = await readSafetensors(path)
    const config = folder === undefined ? {} : await readConfig(join(folder, 'config.json'))
    const found = readLayers(tensors, readCellOptions(config, '').cell)
    const used = new Set(found.used)
    return {
      name,
      path,
      folder,
      layers: found.layers,
      config,
      tensor (tensor) {
        used.add(tensor)
        return readFloats(tensors, tensor)
      },
      tensors: () => readAllFloats(tensors),
      unused () {
        try {
          return unusedTensors(tensors.keys(), used, found)
        } catch (error) {
          throw new ModelsError(`${path}: ${messageOf(error)}`)
        }
      }
    }
  } catch (error) {
    if (error instanceof ModelsError) throw error
    // What is wrong with a field is wrong with the configuration, whose fields they are.
    throw new ModelsError(`${error instanceof InputError && folder !== undefined ? join(folder, 'config.json') : path}: ${messageOf(error)}`)
  }
}

async function readConfig (path: string): Promise<unknown> {
  let text: string
  try {
    if (!await exists(path)) return {}
    text = (await readWhole(path)).toString()
  } catch (error) {
    throw new ModelsError(`${path}: ${messageOf(error)}`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ModelsError(`${path}: is not JSON: ${messageOf(error)}`)
  }
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
