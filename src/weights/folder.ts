import { join } from 'node:path'
import type { Cell } from '../network/cell.ts'
import { findCell, readFloats } from './layouts.ts'
import { ModelsError } from './models-error.ts'
import { findPlaces, type ModelPlace } from './places.ts'
import { exists, readWhole } from './sources/file.ts'
import { readSafetensors } from './sources/safetensors.ts'

export { ModelsError } from './models-error.ts'

/** A model as it lies on disk. */
export interface ModelFile {
  /** What the model is served as. */
  readonly name: string
  /** The safetensors file, for messages. */
  readonly path: string
  /** The model's own folder, where it has one. */
  readonly folder: string | undefined
  readonly cell: Cell
  /** What `config.json` says, unchecked; `{}` where there is none. */
  readonly config: unknown
  /** Another tensor of the file, as float32; throws where there is none of that name. */
  readonly tensor: (name: string) => { shape: readonly number[], data: Float32Array }
  /** The names of the tensors that neither the cell uses nor anyone has asked for. */
  readonly unused: () => readonly string[]
}

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
    const tensors = await readSafetensors(path)
    const found = findCell(tensors)
    const used = new Set(found.used)
    return {
      name,
      path,
      folder,
      cell: found.cell,
      config: folder === undefined ? {} : await readConfig(join(folder, 'config.json')),
      tensor (tensor) {
        used.add(tensor)
        return readFloats(tensors, tensor)
      },
      unused: () => [...tensors.keys()].filter((tensor) => !used.has(tensor))
    }
  } catch (error) {
    throw error instanceof ModelsError ? error : new ModelsError(`${path}: ${messageOf(error)}`)
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
