import { readFile } from 'node:fs/promises'
import { ConfigError, type Config } from './settings.ts'

/** A key is sent in a header. */
const KEY = /^[\x21-\x7e]{8,512}$/

/**
 * The API keys of the settings and of the key file: one per line; blank lines and lines that start with `#` are ignored.
 *
 * @throws ConfigError which never shows a key.
 */
export async function readKeys ({ 'api-key': keys = [], 'api-key-file': file }: Config): Promise<string[]> {
  return [
    ...keys.map((key, i) => checked(key, `--api-key, the ${i + 1}.`)),
    ...(file === undefined ? [] : await readKeyFile(file))
  ]
}

async function readKeyFile (file: string): Promise<string[]> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`--api-key-file: ${error instanceof Error ? error.message : String(error)}`)
  }
  const keys = text.split('\n').flatMap((line, i) => {
    const key = line.trim()
    return key === '' || key.startsWith('#') ? [] : [checked(key, `--api-key-file: ${file}, line ${i + 1}`)]
  })
  // Without any key, everybody would be served.
  if (keys.length === 0) throw new ConfigError(`--api-key-file: ${file} has no key`)
  return keys
}

function checked (key: string, where: string): string {
  if (!KEY.test(key)) throw new ConfigError(`${where}: expected 8 to 512 visible characters, got ${key.length}`)
  return key
}
