import { join } from 'node:path'
import Type from 'typebox'
import { InputError } from '../errors.ts'
import type { Layers } from '../network/layers.ts'
import { compile } from '../tensor/schema.ts'
import { versionOf } from './fingerprint.ts'
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
  /** A hash of its files. */
  readonly version: string
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
 * @throws ModelsError at the first file that is wrong, or if there is no model at all.
 */
export async function readModels (directory: string, warn: (message: string) => void = () => {}): Promise<ModelFile[]> {
  const places = await findPlaces(directory, warn)
  const models: ModelFile[] = []
  for (const place of places) models.push(await readModel(place))
  return models
}

async function readModel ({ name, path, folder }: ModelPlace): Promise<ModelFile> {
  try {
    const { bytes, tensors } = await readSafetensors(path)
    const configBytes = folder === undefined ? undefined : await readIfThere(join(folder, 'config.json'))
    const config = folder === undefined || configBytes === undefined ? {} : parseConfig(join(folder, 'config.json'), configBytes)
    const feedback = folder === undefined ? undefined : await readIfThere(join(folder, 'feedback.mjs'))
    const found = readLayers(tensors, readCellOptions(config, '').cell)
    const used = new Set(found.used)
    return {
      name,
      path,
      version: versionOf({ model: bytes, config: configBytes, feedback }),
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

async function readIfThere (path: string): Promise<Buffer | undefined> {
  try {
    return await exists(path) ? await readWhole(path) : undefined
  } catch (error) {
    throw new ModelsError(`${path}: ${messageOf(error)}`)
  }
}

function parseConfig (path: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch (error) {
    throw new ModelsError(`${path}: is not JSON: ${messageOf(error)}`)
  }
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
