// Builds the native engine's addon for other platforms, and packs it: `npm pack` then includes prebuilds/.
//
//     node scripts/pack-native.mjs [TARGET]...     linux-x64-glibc linux-arm64-glibc linux-x64-musl linux-arm64-musl
//
// Without a target, packs all targets whose compiler is installed, and reports what the others need. One addon serves all Node.js
// versions: it needs only Node-API, and its C++ library is linked into it. The objects stay in build/TARGET/.

import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNodeGyp, headers } from './node-gyp.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const TARGETS = {
  'linux-x64-glibc': { arch: 'x64', compiler: gcc('x86_64'), takes: 'g++, on arm64 Debian\'s package g++-x86-64-linux-gnu' },
  'linux-arm64-glibc': { arch: 'arm64', compiler: gcc('aarch64'), takes: 'g++, on x64 Debian\'s package g++-aarch64-linux-gnu' },
  'linux-x64-musl': { arch: 'x64', compiler: zig('x86_64'), takes: 'zig, as in `pip install ziglang`' },
  'linux-arm64-musl': { arch: 'arm64', compiler: zig('aarch64'), takes: 'zig, as in `pip install ziglang`' }
}

const asked = process.argv.slice(2)
const unknown = asked.find((name) => !Object.hasOwn(TARGETS, name))
if (unknown !== undefined) {
  console.log(`cellserve: ${unknown} is none of ${Object.keys(TARGETS).join(', ')}`)
  process.exit(1)
}
const packed = (asked.length > 0 ? asked : Object.keys(TARGETS)).map((name) => [name, pack(name, TARGETS[name])])
process.exitCode = packed.every(([name, done]) => done || (done === undefined && asked.length === 0)) && packed.some(([, done]) => done) ? 0 : 1

function gcc (machine) {
  return { c: [`${machine}-linux-gnu-gcc`], cxx: [`${machine}-linux-gnu-g++`], ld: '-static-libstdc++ -static-libgcc -s' }
}

/** Zig's clang, which links musl and its own C++ library. */
function zig (machine) {
  const { stdout } = spawnSync('python3', ['-c', 'import os, ziglang; print(os.path.dirname(ziglang.__file__) + "/zig", end="")'], { encoding: 'utf8' })
  const command = (name) => [stdout || 'zig', name, '-target', `${machine}-linux-musl`]
  return { c: command('cc'), cxx: command('c++'), ld: '-s' }
}

/** Packs an addon. Returns whether that succeeded; undefined if its compiler is not installed. */
function pack (name, { arch, compiler: { c, cxx, ld }, takes }) {
  const [command, ...options] = cxx
  if (spawnSync(command, [...options, '--version']).status !== 0) {
    console.log(`cellserve: ${name} is left out: it takes ${takes}`)
    return undefined
  }
  const folder = join(root, 'build', name)
  rmSync(folder, { recursive: true, force: true })
  for (const source of ['binding.gyp', 'native']) cpSync(join(root, source), join(folder, source), { recursive: true })
  const args = [findNodeGyp(), 'rebuild', `--arch=${arch}`, '--jobs', String(availableParallelism()), ...headers()]
  const env = { ...process.env, CC: c.join(' '), CXX: cxx.join(' '), LINK: cxx.join(' '), LDFLAGS: ld }
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, env, encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (status !== 0) {
    console.log(`${stdout}${stderr}\ncellserve: ${name} was not built`)
    return false
  }
  mkdirSync(join(root, 'prebuilds', name), { recursive: true })
  copyFileSync(join(folder, 'build', 'Release', 'cellserve.node'), join(root, 'prebuilds', name, 'cellserve.node'))
  console.log(`cellserve: packed prebuilds/${name}/cellserve.node`)
  return true
}
