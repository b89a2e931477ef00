import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { prebuiltFolder } from '../../src/engine/prebuilt.ts'

/** An executable of 64 bits with two program headers, the second of which says where the loader's path is. */
function elf (loader: string, place: number): Buffer {
  const bytes = Buffer.alloc(place + loader.length + 1)
  bytes.write('\x7fELF\x02\x01', 'latin1')
  bytes.writeBigUInt64LE(64n, 32) // where the program headers begin
  bytes.writeUInt16LE(56, 54) // the size of one
  bytes.writeUInt16LE(2, 56) // how many there are
  bytes.writeUInt32LE(1, 64)
  bytes.writeUInt32LE(3, 120)
  bytes.writeBigUInt64LE(BigInt(place), 128)
  bytes.writeBigUInt64LE(BigInt(loader.length + 1), 152)
  bytes.write(loader, place)
  return bytes
}

test('the folder of a prebuilt addon is named after the platform, and on Linux after the C library of Node.js', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-prebuilt-'))
  t.after(() => rm(folder, { recursive: true }))
  const execPath = join(folder, 'node')
  const folderOf = async (arch: NodeJS.Architecture, bytes: Buffer): Promise<string> => {
    await writeFile(execPath, bytes)
    return prebuiltFolder({ platform: 'linux', arch, execPath })
  }
  assert.equal(await folderOf('x64', elf('/lib/ld-musl-x86_64.so.1', 176)), 'prebuilds/linux-x64-musl')
  assert.equal(await folderOf('arm64', elf('/lib/ld-linux-aarch64.so.1', 176)), 'prebuilds/linux-arm64-glibc')
  assert.equal(await folderOf('arm64', elf('/lib/ld-musl-aarch64.so.1', 1_000_000)), 'prebuilds/linux-arm64-musl', 'far from the head')
  assert.equal(await folderOf('s390x', Buffer.from('\x7fELF\x02\x02')), 'prebuilds/linux-s390x-glibc')
  assert.equal(prebuiltFolder({ platform: 'darwin', arch: 'arm64', execPath: 'none' }), 'prebuilds/darwin-arm64')
})

test('the C library of this Node.js is the one that it reports', { skip: process.platform !== 'linux' }, () => {
  const isGlibc = JSON.stringify(process.report.getReport()).includes('"glibcVersionRuntime"')
  assert.equal(prebuiltFolder(), `prebuilds/linux-${process.arch}-${isGlibc ? 'glibc' : 'musl'}`)
})
