/**
 * Loads a library that few commands need, and that the service's install leaves out.
 *
 * @param missing makes the error if it is not installed.
 */
export async function loadLibrary<T> (load: () => Promise<T>, missing: () => Error): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error
    throw missing()
  }
}
