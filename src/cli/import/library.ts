import { ImportError } from './import-error.ts'

/**
 * Loads a library that only an import needs, and that the service's install leaves out.
 *
 * @throws ImportError if it is not installed.
 */
export async function loadLibrary<T> (name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error
    throw new ImportError(`the library that reads it is not installed: npm install ${name}`)
  }
}
