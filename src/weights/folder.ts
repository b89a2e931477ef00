import { lstat, readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import Type from 'typebox'
import { InputError } from '../errors.ts'
import type { Layers } from '../network/layers.ts'
import { parseSafetensors } from '../tensor/safetensors.ts'
import { compile } from '../tensor/schema.ts'
import { readFloats, type Floats } from './layouts/floats.ts'
import { readLayers } from './layouts/layouts.ts'
import { CellOptionsSchema } from './layouts/options.ts'
import { unusedTensors } from './layouts/unused.ts'

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
  /**
   * The tensors that neither the network uses nor anyone has asked for, by name.
   *
   * @throws LayoutError if one lies in the network's own module.
   */
  readonly unused: () => readonly string[]
}

/** A models folder that cannot be served. The message is one line that names the file and what is wrong with it. */
export class ModelsError extends Error {
  override readonly name = 'ModelsError'

  constructor (message: string) {
    // A parser may quote text with line breaks.
    super(message.replaceAll('\n', '\\n'))
  }
}

/** What a configuration says of the cell; the rest of it is not judged here. */
const readCellOptions = compile(Type.Object({ cell: Type.Optional(CellOptionsSchema) }))

const EXTENSION = '.safetensors'

/**
 * Reads every model of a folder: `NAME.safetensors`, or `NAME/model.safetensors` with an optional `NAME/config.json`.
 * Ignores everything else.
 *
 * @throws ModelsError at the first file that is wrong, or if there is no model at all.
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
      unused: () => unusedTensors(tensors.keys(), used, found)
    }
  } catch (error) {
    if (error instanceof ModelsError) throw error
    // What is wrong with a field is wrong with the configuration, whose fields they are.
    throw new ModelsError(`${error instanceof InputError && folder !== undefined ? join(folder, 'config.json') : path}: ${messageOf(error)}`)
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

/** A link counts whatever it points to: a file that should be there and cannot be read is an error, not an absent file. */
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
