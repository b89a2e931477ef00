import { realpath } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import { ImportError, quote } from './import-error.ts'

/**
 * Resolves the path of a file that another file refers to. After following links, it must be inside the folder.
 *
 * @throws ImportError if it is outside, or does not exist.
 */
export async function pathInside (folder: string, name: string): Promise<string> {
  const path = await realpath(join(folder, name)).catch(() => { throw new ImportError(`the file ${quote(name)} that it names does not exist`) })
  const from = relative(await realpath(folder), path)
  if (isAbsolute(name) || isAbsolute(from) || from === '..' || from.startsWith(`..${sep}`)) throw new ImportError(`names ${quote(name)}, which is not in its folder`)
  return path
}
