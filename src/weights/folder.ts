import { join } from 'node:path'
import Type from '../tensor/typebox.ts'
import { InputError, messageOf } from '../errors.ts'
import type { Layers } from '../network/layers.ts'
import type { StoredTensor } from '../tensor/safetensors.ts'
import { compile } from '../tensor/schema.ts'
import { hashFiles } from './hash.ts'
import { readAllFloats, readFloats, type Floats } from './layouts/floats.ts'
import { readLayers, type ReadLayers } from './layouts/layouts.ts'
import { CellOptionsSchema } from './layouts/options.ts'
import { unusedTensors } from './layouts/unused.ts'
import { ModelsError } from './models-error.ts'
import { CONFIG, MODEL, type ModelPlace } from './places.ts'
import { exists, readWhole } from './sources/file.ts'
import { readSafetensors } from './sources/safetensors.ts'

export { ModelsError } from './models-error.ts'

/** The file with a model's own feedback code. */
export const FEEDBACK = 'feedback.mjs'

/** A model on disk. */
export interface ModelFile {
  /** The name under which the model is served. */
  readonly name: string
  /** The safetensors file, for messages. */
  readonly path: string
  /** The model's own folder, if it has one. */
  readonly folder: string | undefined
  /** A hash of its files: two models with the same files have the same hash, wherever the files are. */
  readonly version: string
  /** @throws ModelsError if its tensors do not form a network, or not the one that its `cell` describes. */
  readonly layers: Layers
  /** The contents of `config.json`; `{}` without one. */
  readonly config: unknown
  /** Another tensor of the file, as float32; throws if the file has no such tensor. */
  readonly tensor: (name: string) => Floats
  /** All floating-point tensors of the file, by name, as float32. */
  readonly tensors: () => Iterable<readonly [name: string, tensor: Floats]>
  /**
   * The names of the tensors that the network does not use and nobody has asked for.
   *
   * @throws ModelsError if one belongs to the network's own module.
   */
  readonly unused: () => readonly string[]
}

/** Reads the `cell` of a configuration; the rest is not checked here. */
const readCellOptions = compile(Type.Object({ cell: Type.Optional(CellOptionsSchema) }))

/** What is read from a model's files: data only, so that another thread can read it. */
export interface ModelContents extends ModelPlace {
  readonly version: string
  readonly config: unknown
  readonly stored: ReadonlyMap<string, StoredTensor>
  /** The network, or what is wrong with it. */
  readonly network: ReadLayers | string
}

/** Returns what is wrong with a model; any other error is thrown again. */
export function asFault (error: unknown): ModelsError {
  if (error instanceof ModelsError) return error
  throw error
}

/** @throws ModelsError */
export async function readModel (place: ModelPlace): Promise<ModelFile> {
  return openContents(await readContents(place))
}

/** @throws ModelsError if the files cannot be read; a faulty network is part of the contents. */
export async function readContents (place: ModelPlace): Promise<ModelContents> {
  const { path, folder } = place
  try {
    const { bytes, tensors: stored } = await readSafetensors(path)
    const beside = folder === undefined ? {} : await readBeside(folder)
    const config = folder === undefined ? {} : parseConfig(join(folder, CONFIG), beside[CONFIG])
    return { ...place, version: hashFiles({ ...beside, [MODEL]: bytes }), config, stored, network: readNetwork(place, stored, config) }
  } catch (error) {
    throw nameFault(place, error)
  }
}

function readNetwork (place: ModelPlace, stored: ModelContents['stored'], config: unknown): ModelContents['network'] {
  try {
    return readLayers(stored, readCellOptions(config, '').cell)
  } catch (error) {
    return nameFault(place, error).message
  }
}

export function openContents ({ network, stored, ...contents }: ModelContents): ModelFile {
  const read = (): ReadLayers => {
    if (typeof network === 'string') throw new ModelsError(network)
    return network
  }
  const used = new Set<string>()
  return {
    ...contents,
    get layers () { return read().layers },
    tensor (tensor) {
      used.add(tensor)
      return readFloats(stored, tensor)
    },
    tensors: () => readAllFloats(stored),
    unused () {
      const { used: own } = read()
      try {
        return unusedTensors(stored.keys(), new Set([...own, ...used]), read())
      } catch (error) {
        throw nameFault(contents, error)
      }
    }
  }
}

/** Adds the path of the faulty file. An error in a field is an error in the configuration, which contains the fields. */
function nameFault ({ path, folder }: ModelPlace, error: unknown): ModelsError {
  return error instanceof ModelsError ? error : new ModelsError(`${error instanceof InputError && folder !== undefined ? join(folder, CONFIG) : path}: ${messageOf(error)}`)
}

/** The files in a model's own folder that describe it in addition to its tensors: the existing ones, by name. */
async function readBeside (folder: string): Promise<Record<string, Buffer>> {
  const files: Record<string, Buffer> = {}
  for (const name of [CONFIG, FEEDBACK]) {
    const path = join(folder, name)
    try {
      if (await exists(path)) files[name] = await readWhole(path)
    } catch (error) {
      throw new ModelsError(`${path}: ${messageOf(error)}`)
    }
  }
  return files
}

function parseConfig (path: string, bytes: Buffer | undefined): unknown {
  if (bytes === undefined) return {}
  try {
    return JSON.parse(bytes.toString())
  } catch (error) {
    throw new ModelsError(`${path}: is not JSON: ${messageOf(error)}`)
  }
}
