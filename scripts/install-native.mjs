// Builds the native engine's addon when the package is installed. Never fails the install: without the addon the service
// runs on TensorFlow.js, and says so.
//
//     node scripts/install-native.mjs             takes a prebuilt addon if one loads, otherwise builds one
//     node scripts/install-native.mjs --build     builds one in any case
//     node scripts/install-native.mjs --verbose   shows the output of node-gyp
//     node scripts/install-native.mjs --pack      builds one and copies it to prebuilds/, for publishing

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const built = join(root, 'build', 'Release', 'cellserve.node')
const prebuilt = join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'cellserve.node')
const log = join(root, 'build', 'install.log')

const asked = new Set(process.argv.slice(2))
const verbose = asked.has('--verbose') || process.env.npm_config_loglevel === 'verbose' || process.env.npm_config_loglevel === 'silly'

main()

function main () {
  const pack = asked.has('--pack')
  if (!pack && !asked.has('--build') && loads(prebuilt)) {
    // The service would load the result of an earlier build before a prebuilt addon.
    rmSync(built, { force: true })
    return console.log('cellserve: the native engine is prebuilt for this platform')
  }
  const failure = build()
  if (failure !== undefined) {
    console.log(`cellserve: the native engine was not built (${failure}); the service runs on TensorFlow.js`)
    if (pack) process.exitCode = 1
    return
  }
  if (pack) {
    mkdirSync(dirname(prebuilt), { recursive: true })
    copyFileSync(built, prebuilt)
    return console.log(`cellserve: packed ${prebuilt.slice(root.length + 1)}`)
  }
  console.log('cellserve: the native engine is built')
}

/** Why there is no addon, in a few words, or undefined if there is one. */
function build () {
  if (process.platform === 'win32') return 'it needs GCC or Clang, on Linux or macOS'
  const nodeGyp = findNodeGyp()
  if (nodeGyp === undefined) return 'npm\'s node-gyp was not found'

  const args = [nodeGyp, 'rebuild', '--jobs', String(availableParallelism()), ...headers()]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: verbose ? 'inherit' : 'pipe',
    maxBuffer: 2 ** 26
  })
  const output = `${stdout ?? ''}${stderr ?? ''}`
  if (!verbose) keep(output)
  if (status === 0) return loads(built) ? undefined : 'the built addon does not load'
  const tools = /Could not find any Python|not found: make|(make|cc|[cg]\+\+|clang(\+\+)?): (command )?(not found|No such file)/i
  if (tools.test(output)) return 'it needs Python, make and a C++ compiler'
  return verbose ? 'see above' : 'see build/install.log'
}

/** Most installations have Node's headers next to it; otherwise node-gyp downloads them. */
function headers () {
  if (process.env.npm_config_nodedir !== undefined) return []
  const prefix = resolve(dirname(process.execPath), '..')
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? ['--nodedir', prefix] : []
}

/** The node-gyp that is part of npm. */
function findNodeGyp () {
  const prefix = resolve(dirname(process.execPath), '..')
  const npms = [
    process.env.npm_execpath, // the npm that runs this script
    join(prefix, 'lib', 'node_modules', 'npm', 'package.json'),
    join(prefix, 'share', 'nodejs', 'npm', 'package.json'),
    fileURLToPath(import.meta.url) // the project's own node-gyp
  ]
  const places = [process.env.npm_config_node_gyp]
  for (const npm of npms) {
    try {
      if (npm !== undefined) places.push(createRequire(npm).resolve('node-gyp/bin/node-gyp.js'))
    } catch {
      // not there
    }
  }
  return places.find((place) => place !== undefined && existsSync(place))
}

function loads (file) {
  // In its own process: an addon that crashes must not fail the install.
  return existsSync(file) && spawnSync(process.execPath, ['-e', `require(${JSON.stringify(file)}).createEngine`]).status === 0
}

function keep (output) {
  try {
    mkdirSync(dirname(log), { recursive: true })
    writeFileSync(log, output)
  } catch {
    // an unwritable log is no reason to fail
  }
}
