import { messageOf } from '../../errors.ts'
import { ImportError } from './import-error.ts'

/** @throws ImportError if the text is not JSON. */
export function parseJson (text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ImportError(`${what} is not JSON: ${messageOf(error)}`)
  }
}
