import { createHash } from 'node:crypto'

/**
 * A hash of named files: 64 hexadecimal digits, the same for the same names and bytes in any order.
 */
export function hashFiles (files: Readonly<Record<string, Uint8Array>>): string {
  const hash = createHash('sha256')
  for (const name of Object.keys(files).sort()) {
    // With its length in front, no file can be mistaken for two.
    hash.update(`${JSON.stringify(name)} ${files[name].byteLength}\n`).update(files[name])
  }
  return hash.digest('hex')
}
