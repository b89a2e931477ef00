// Builds the native engine's addon when the package is installed. Never fails the install: without the addon, the service runs on
// TensorFlow.js and reports that.
//
//     node scripts/install-native.mjs             uses a prebuilt addon if one with this interface version loads, otherwise builds one
//     node scripts/install-native.mjs --build     builds one in any case
//     node scripts/install-native.mjs --verbose   shows the output of node-gyp
//
// `pack-native.mjs` builds the prebuilt ones.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { findNodeGyp, headers } from './node-gyp.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const built = join(root, 'build', 'Release', 'cellserve.node')
const log = join(root, 'build', 'install.log')

const asked = new Set(process.argv.slice(2))
const verbose = asked.has('--verbose') || process.env.npm_config_loglevel === 'verbose' || process.env.npm_config_loglevel === 'silly'

await main()

async function main () {
  const prebuilt = asked.has('--build') ? undefined : await findPrebuilt()
  if (prebuilt !== undefined) {
    // The service would load the result of an earlier build before a prebuilt addon.
    rmSync(built, { force: true })
    return console.log(`cellserve: the native engine is prebuilt (${prebuilt})`)
  }
  const failure = build()
  if (failure !== undefined) return console.log(`cellserve: the native engine was not built (${failure}); the service runs on TensorFlow.js`)
  console.log('cellserve: the native engine is built')
}

/**
 * The folder of a prebuilt addon that the service would use, if one exists. Only packages count, which have a compiled dist/ but no
 * sources: a clone may be newer than an addon that was packed in it.
 */
async function findPrebuilt () {
  const compiled = (name) => join(root, 'dist', 'engine', name)
  if (existsSync(join(root, 'src')) || !existsSync(compiled('prebuilt.js'))) return undefined
  const [{ prebuiltFolder }, { INTERFACE }] = await Promise.all(['prebuilt.js', 'addon.js'].map((name) => import(pathToFileURL(compiled(name)).href)))
  const folder = prebuiltFolder()
  return loads(join(root, folder, 'cellserve.node'), `.interface === ${INTERFACE}`) ? folder : undefined
}

/** Builds the addon. Returns undefined, or in a few words why it failed. */
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

/** Whether an addon loads, and meets a condition. */
function loads (file, is = '') {
  // In its own process: an addon that crashes must not fail the install.
  return existsSync(file) && spawnSync(process.execPath, ['-e', `process.exitCode = require(${JSON.stringify(file)})${is} ? 0 : 1`]).status === 0
}

function keep (output) {
  try {
    mkdirSync(dirname(log), { recursive: true })
    writeFileSync(log, output)
  } catch {
    // the install must not fail because of an unwritable log
  }
}
