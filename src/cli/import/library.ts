import { loadLibrary } from '../library.ts'
import { ImportError } from './import-error.ts'

/**
 * Loads the library for reading a format.
 *
 * @throws ImportError if it is not installed.
 */
export async function loadReader<T> (name: string, load: () => Promise<T>): Promise<T> {
  return await loadLibrary(load, () => new ImportError(`the library that reads it is not installed: npm install ${name}`))
}
