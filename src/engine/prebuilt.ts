import { closeSync, openSync, readSync } from 'node:fs'

/** The folder of the addon that the package may contain for this platform, as `scripts/pack-native.mjs` names it. */
export function prebuiltFolder ({ platform, arch, execPath }: Pick<NodeJS.Process, 'platform' | 'arch' | 'execPath'> = process): string {
  return `prebuilds/${platform}-${arch}${platform === 'linux' ? `-${libcOf(execPath)}` : ''}`
}

/** The C library of a Linux executable, from the loader that it names: an addon for another C library does not load. */
function libcOf (executable: string): 'glibc' | 'musl' {
  const file = openSync(executable, 'r')
  try {
    return loaderOf(file).includes('/ld-musl-') ? 'musl' : 'glibc'
  } finally {
    closeSync(file)
  }
}

const PT_INTERP = 3

/** The loader's path, which can be anywhere in a file that patchelf has changed; empty if the file is not a 64-bit little-endian ELF. */
function loaderOf (file: number): string {
  const read = (from: bigint, length: number): Buffer => {
    const bytes = Buffer.alloc(length)
    readSync(file, bytes, { position: from })
    return bytes
  }
  const head = read(0n, 64)
  if (head.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return ''
  const size = head.readUInt16LE(54)
  const table = read(head.readBigUInt64LE(32), size * head.readUInt16LE(56))
  for (let entry = 0; entry < table.length; entry += size) {
    if (table.readUInt32LE(entry) === PT_INTERP) return read(table.readBigUInt64LE(entry + 8), table.readUInt32LE(entry + 32)).toString('latin1')
  }
  return ''
}
