import { loadLibrary } from '../library.ts'
import { EncodeError } from './encode-error.ts'

/**
 * Loads a library that only Parquet needs.
 *
 * @throws EncodeError if it is not installed.
 */
export async function loadParquet<T> (load: () => Promise<T>): Promise<T> {
  return await loadLibrary(load, () => new EncodeError('the libraries for Parquet are not installed: npm install hyparquet hyparquet-writer'))
}
