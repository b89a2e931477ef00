import { closeSync, openSync, readSync } from 'node:fs'

/** The folder of the addon that the package may hold for this platform, as `scripts/pack-native.mjs` names it. */
export function prebuiltFolder ({ platform, arch, execPath }: Pick<NodeJS.Process, 'platform' | 'arch' | 'execPath'> = process): string {
  return `prebuilds/${platform}-${arch}${platform === 'linux' ? `-${libcOf(execPath)}` : ''}`
}

/** The C library of an executable of Linux, by the loader that its head names: an addon of another does not load. */
function libcOf (executable: string): 'glibc' | 'musl' {
  const head = Buffer.alloc(2048)
  const file = openSync(executable, 'r')
  try {
    readSync(file, head)
  } finally {
    closeSync(file)
  }
  return head.includes('/ld-musl-') ? 'musl' : 'glibc'
}
