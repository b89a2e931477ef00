import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { messageOf } from '../errors.ts'
import { ModelsError } from './models-error.ts'
import { exists, isErrno, kindOf, type Kind } from './sources/file.ts'
import { describeForeign } from './sources/foreign.ts'

/** Where a model is stored. */
export interface ModelPlace {
  /** The name under which the model is served. */
  readonly name: string
  /** The safetensors file. */
  readonly path: string
  /** The model's own folder, if it has one. */
  readonly folder: string | undefined
}

export const CONFIG = 'config.json'
const EXTENSION = '.safetensors'
export const MODEL = `model${EXTENSION}`
const EXPECTED = `NAME${EXTENSION} or NAME/${MODEL}`

/** What is found at a path: a model's place, or what is wrong there, and lines about files that someone may wrongly expect to be served. */
interface Found {
  readonly place?: ModelPlace
  readonly fault?: ModelsError
  readonly strangers: readonly string[]
}

/**
 * Finds the models in a folder: `NAME.safetensors`, or `NAME/model.safetensors` with an optional `NAME/config.json`. A folder
 * that itself contains `model.safetensors` and `config.json` belongs to a single model, which is named after it.
 *
 * @param warn receives one line for each file that someone may wrongly expect to be served.
 * @returns each place, or what is wrong with it: a file of another format, or a second model with the same name.
 * @throws ModelsError if the folder cannot be read, or there is no model at all.
 */
export async function findPlaces (directory: string, warn: (message: string) => void): Promise<Array<ModelPlace | ModelsError>> {
  const { places, strangers } = await findModels(directory)
  if (places.length === 0) throw new ModelsError(`${directory}: has no model: expected ${EXPECTED}${strangers.length > 0 ? `; found ${strangers[0]}` : ''}`)
  for (const stranger of strangers.slice(0, MAX_STRANGERS)) warn(`not served: ${stranger}`)
  if (strangers.length > MAX_STRANGERS) warn(`not served: ${strangers.length - MAX_STRANGERS} more files that are not models`)
  return places
}
const MAX_STRANGERS = 12

async function findModels (directory: string): Promise<{ places: Array<ModelPlace | ModelsError>, strangers: string[] }> {
  const names = await listFolder(directory)
  const single = names.includes(MODEL) && names.includes(CONFIG)
  const others = single ? names.filter((name) => name !== MODEL && name !== CONFIG) : names
  const found = await Promise.all(others.map((name) => lookAt(join(directory, name))))
  const strangers = found.flatMap((each) => each.strangers)
  const all = found.flatMap(({ place, fault }) => place ?? fault ?? [])
  if (single) {
    const second = (place: ModelPlace): ModelsError =>
      new ModelsError(`${place.path}: is a second model in the folder of a single model: ${directory} holds ${MODEL} and ${CONFIG}`)
    const own: ModelPlace = { name: basename(resolve(directory)) || 'model', path: join(directory, MODEL), folder: directory }
    return { places: [own, ...all.map((place) => place instanceof ModelsError ? place : second(place))], strangers }
  }
  const byName = new Map<string, ModelPlace>()
  const places = all.map((place) => {
    if (place instanceof ModelsError) return place
    const twin = byName.get(place.name)
    if (twin !== undefined) return new ModelsError(`${twin.path} and ${place.path} are both named ${place.name}`)
    byName.set(place.name, place)
    return place
  })
  return { places, strangers }
}

/** Returns what is at a path. A fault is returned, too, so that callers can throw or collect it. */
async function lookAt (path: string): Promise<Found> {
  return await inspect(path).catch((error: unknown) => {
    if (error instanceof ModelsError) return { fault: error, strangers: [] }
    throw error
  })
}

/** @throws ModelsError */
async function inspect (path: string): Promise<Found> {
  const kind = await stat(path).then(kindOf, () => undefined)
  if (kind === 'a folder') return await lookInto(path)
  if (path.endsWith(EXTENSION)) return { place: { name: basename(path, EXTENSION), path, folder: undefined }, strangers: [] }
  return { strangers: describeStranger(path, kind) }
}

async function lookInto (folder: string): Promise<Found> {
  const path = join(folder, MODEL)
  const isModel = await exists(path).catch((error: unknown) => { throw new ModelsError(`${path}: cannot be read: ${messageOf(error)}`) })
  const names = await listFolder(folder)
  const instead = names.find((name) => name.startsWith('model.') && describeForeign(name) !== undefined)
  if (!isModel && instead !== undefined) throw new ModelsError(`${join(folder, instead)}: is ${describeForeign(instead)}; expected ${MODEL}`)
  const strangers = names.filter((name) => !isModel || name !== CONFIG).flatMap((name) => describeStranger(join(folder, name), 'a file'))
  return { ...(isModel && { place: { name: basename(folder), path, folder } }), strangers }
}

/** A line about a file that is not a model, if someone may expect it to be served. */
function describeStranger (path: string, kind: Kind | undefined): string[] {
  const foreign = describeForeign(path)
  if (foreign !== undefined) return [`${path} is ${foreign}`]
  if (basename(path) === CONFIG) return [`${path} belongs to no model: there is no ${MODEL} next to it`]
  return kind === undefined || kind === 'a file' ? [] : [`${path} is ${kind}`]
}

/** The visible names in a folder. @throws ModelsError */
async function listFolder (folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith('.')).sort()
  } catch (error) {
    if (!isErrno(error, 'ENOTDIR')) throw new ModelsError(`${folder}: cannot be read: ${messageOf(error)}`)
    throw new ModelsError(`${folder}: is ${describeForeign(folder) ?? kindOf(await stat(folder))}; expected a folder that holds ${EXPECTED}`)
  }
}
