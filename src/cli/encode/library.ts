import { EncodeError } from './encode-error.ts'

/**
 * Loads a library that Parquet alone needs, and that the service's install leaves out.
 *
 * @throws EncodeError if it is not installed.
 */
export async function loadLibrary<T> (load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error
    throw new EncodeError('the libraries for Parquet are not installed: npm install hyparquet hyparquet-writer')
  }
}
