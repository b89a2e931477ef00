import { readFile } from 'node:fs/promises'
import { messageOf } from '../errors.ts'
import { ConfigError } from './config-error.ts'
import type { Config } from './settings.ts'

/** What is wrong with the first invalid key, or undefined. The text never shows a key. */
export function keysFault (keys: readonly string[]): string | undefined {
  const [i, fault] = keys.map((key, i) => [i, keyFault(key)] as const).find(([, fault]) => fault !== undefined) ?? []
  return fault && `${keys.length === 1 ? 'the key' : `key ${Number(i) + 1}`} ${fault}`
}

function keyFault (key: string): string | undefined {
  const fault = key.length < 8 || key.length > 512
    ? `has ${key.length} characters`
    : /^[\x21-\x7e]+$/.test(key) ? undefined : 'has a space, or a character that is not ASCII'
  return fault && `${fault}; a key is 8 to 512 characters of visible ASCII`
}

/**
 * The API keys of the settings and of the key file: one per line; blank lines and lines that start with `#` are ignored.
 *
 * @throws ConfigError, which never shows a key.
 */
export async function readKeys ({ 'api-key': keys = [], 'api-key-file': file }: Config): Promise<string[]> {
  return [...keys, ...(file === undefined ? [] : await readKeyFile(file))]
}

async function readKeyFile (file: string): Promise<string[]> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`--api-key-file: ${messageOf(error)}`)
  }
  const keys = text.split('\n').flatMap((line, i) => {
    const key = line.trim()
    if (key === '' || key.startsWith('#')) return []
    const fault = keyFault(key)
    if (fault !== undefined) throw new ConfigError(`--api-key-file: ${file}, line ${i + 1}: the key ${fault}`)
    return [key]
  })
  // Without any key, everybody would be served.
  if (keys.length === 0) throw new ConfigError(`--api-key-file: ${file} has no key`)
  return keys
}
