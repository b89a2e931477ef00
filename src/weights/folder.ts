import { lstat, readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Cell } from '../network/cell.ts'
import { findCell, readAllFloats, readFloats } from './layouts.ts'
import { parseSafetensors } from '../tensor/safetensors.ts'

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
  /** All floating-point tensors of the file, by name, as float32. */
  readonly tensors: () => Iterable<readonly [name: string, tensor: { shape: readonly number[], data: Float32Array }]>
}

/** A models folder that cannot be served; the message, a line, names the file and what is wrong with it. */
export class ModelsError extends Error {
  override readonly name = 'ModelsError'

  constructor (message: string) {
    // What a parser quotes may have line breaks.
    super(message.replaceAll('\n', '\\n'))
  }
}

const EXTENSION = '.safetensors'

/**
 * Reads every model of a folder: `NAME.safetensors`, or `NAME/model.safetensors` with an optional `NAME/config.json`.
 * What is neither is left alone.
 *
 * @throws ModelsError at the first file that is wrong, or where there is no model at all.
 */
export async function readModels (directory: string): Promise<ModelFile[]> {
  let names: string[]
  try {
    names = (await readdir(directory)).filter((name) => !name.startsWith('.')).sort()
  } catch (error) {
    throw new ModelsError(`${directory}: cannot be read: ${messageOf(error)}`)
  }
  const models = new Map<string, ModelFile>()
  for (const name of names) {
    const model = await readEntry(join(directory, name))
    if (model === undefined) continue
    const twin = models.get(model.name)
    if (twin !== undefined) throw new ModelsError(`${twin.path} and ${model.path} are both named ${model.name}`)
    models.set(model.name, model)
  }
  if (models.size === 0) throw new ModelsError(`${directory}: has no model: expected NAME${EXTENSION} or NAME/model${EXTENSION}`)
  return [...models.values()]
}

async function readEntry (path: string): Promise<ModelFile | undefined> {
  const folder = await isDirectory(path) ? path : undefined
  if (folder === undefined) return path.endsWith(EXTENSION) ? await readModel(basename(path, EXTENSION), path, undefined) : undefined
  const file = join(folder, `model${EXTENSION}`)
  return await exists(file) ? await readModel(basename(folder), file, folder) : undefined
}

async function readModel (name: string, path: string, folder: string | undefined): Promise<ModelFile> {
  try {
    const tensors = parseSafetensors(await readFile(path))
    return {
      name,
      path,
      folder,
      cell: findCell(tensors),
      config: folder === undefined ? {} : await readConfig(join(folder, 'config.json')),
      tensor: (tensor) => readFloats(tensors, tensor),
      tensors: () => readAllFloats(tensors)
    }
  } catch (error) {
    throw error instanceof ModelsError ? error : new ModelsError(`${path}: ${messageOf(error)}`)
  }
}

async function readConfig (path: string): Promise<unknown> {
  if (!await exists(path)) return {}
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new ModelsError(`${path}: is not JSON: ${messageOf(error)}`)
  }
}

async function isDirectory (path: string): Promise<boolean> {
  return await stat(path).then((found) => found.isDirectory(), () => false)
}

/** A link counts whatever it points to: what is meant to be there and cannot be read is a fault, not an absence. */
async function exists (path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw new ModelsError(`${path}: cannot be read: ${messageOf(error)}`)
  }
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
