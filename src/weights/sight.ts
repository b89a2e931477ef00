import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FEEDBACK } from './folder.ts'
import { ModelsError } from './models-error.ts'
import { CONFIG, findPlaces, type ModelPlace } from './places.ts'

/** What a models folder contains, found without reading its files. */
export interface Sight {
  /** By name. */
  readonly models: ReadonlyMap<string, { readonly place: ModelPlace, readonly signature: string }>
  /** What is wrong with files that have no model name; if there are any, a model that is not seen may still exist. */
  readonly faults: readonly string[]
}

/** @throws ModelsError if the folder cannot be read, or there is no model at all. */
export async function lookAtModels (directory: string, warn: (message: string) => void): Promise<Sight> {
  const found = await findPlaces(directory, warn)
  const places = found.flatMap((place) => place instanceof ModelsError ? [] : [place])
  const signatures = await Promise.all(places.map(signatureOf))
  return {
    models: new Map(places.map((place, i) => [place.name, { place, signature: signatures[i] }])),
    faults: found.flatMap((place) => place instanceof ModelsError ? [place.message] : [])
  }
}

/**
 * Returns a text that changes if a model's files may have changed. It follows links to the file that each path leads to, because
 * Kubernetes replaces all files of a volume at once with a link to another folder.
 */
export async function signatureOf ({ path, folder }: ModelPlace): Promise<string> {
  const paths = [path, ...(folder === undefined ? [] : [CONFIG, FEEDBACK].map((name) => join(folder, name)))]
  const files = await Promise.all(paths.map(async (each) => {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = await stat(each, { bigint: true })
      return [dev, ino, size, mtimeNs, ctimeNs].join(':')
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    }
  }))
  return files.join(' ')
}
