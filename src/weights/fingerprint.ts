import { createHash } from 'node:crypto'

/** How many hexadecimal digits a version has: 64 bits. */
const DIGITS = 16

/**
 * The version of a model: a hash of its files, the same wherever they lie.
 *
 * @param files their bytes by what they are; one that is not there counts as well.
 * @returns 16 hexadecimal digits.
 */
export function versionOf (files: Readonly<Record<string, Uint8Array | undefined>>): string {
  const hash = createHash('sha256')
  for (const [name, bytes] of Object.entries(files)) hash.update(`${name} ${bytes?.byteLength ?? 'none'}\n`).update(bytes ?? '')
  return hash.digest('hex').slice(0, DIGITS)
}
