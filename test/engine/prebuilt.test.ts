import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { prebuiltFolder } from '../../src/engine/prebuilt.ts'

test('the folder of a prebuilt addon is named after the platform, and on Linux after the C library of Node.js', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-prebuilt-'))
  t.after(() => rm(folder, { recursive: true }))
  const executable = async (loader: string): Promise<string> => {
    const path = join(folder, 'node')
    await writeFile(path, `\x7fELF\0\0${loader}\0`)
    return path
  }
  assert.equal(prebuiltFolder({ platform: 'linux', arch: 'x64', execPath: await executable('/lib/ld-musl-x86_64.so.1') }), 'prebuilds/linux-x64-musl')
  assert.equal(prebuiltFolder({ platform: 'linux', arch: 'arm64', execPath: await executable('/lib/ld-linux-aarch64.so.1') }), 'prebuilds/linux-arm64-glibc')
  assert.equal(prebuiltFolder({ platform: 'darwin', arch: 'arm64', execPath: 'none' }), 'prebuilds/darwin-arm64')
  assert.ok(prebuiltFolder().startsWith(`prebuilds/${process.platform}-${process.arch}`))
})
