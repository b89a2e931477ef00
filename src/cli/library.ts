/**
 * Loads an optional library: few commands need it, and the service's install leaves it out.
 *
 * @param missing creates the error to throw if it is not installed.
 */
export async function loadLibrary<T> (load: () => Promise<T>, missing: () => Error): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error
    throw missing()
  }
}
