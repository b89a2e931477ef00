// Runs the tests, in two processes more than there are cores, because many wait for a time to pass:
//
//     node test/run.mjs [OPTION of node --test | PATH]...
//
// A path is a test file or a folder of them, and every one of test/ if there is none. A folder's tests share a process, and so do small folders,
// because starting one and loading the service takes longer than most of them do; the folders in a large one have each their own. For the
// same reason they run compiled: on dist/, as users do.

import { spawnSync } from 'node:child_process'
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build as esbuild } from 'esbuild'
import { build } from '../scripts/build.mjs'

const given = process.argv.slice(2)
const options = given.filter((argument) => argument.startsWith('-'))
const paths = given.filter((argument) => !argument.startsWith('-'))

/** Folders and files that are done sooner than a process has started. */
const SMALL = ['app.test.ts', 'config', 'demo-models.test.ts', 'docker', 'load-balancer.test.ts', 'load.test.ts', 'network', 'package.test.ts', 'replicas.test.ts', 'scheduler', 'start.test.ts', 'tensor', 'thread.test.ts', 'weights', 'wire'].map((name) => join('test', name))

/** Folders whose tests would take longer than all others do. */
const LARGE = ['model', 'plugins', 'routes'].map((name) => join('test', name))

const groups = paths.length > 0 ? paths.map((path) => ({ path, files: testsOf(path) })) : all()
const empty = groups.find(({ files }) => files.length === 0)
if (empty !== undefined) throw new Error(`${empty.path}: has no file NAME.test.ts`)

function all () {
  const others = within('test').filter((path) => !SMALL.includes(path)).flatMap((path) => LARGE.includes(path) ? partsOf(path) : [{ path, files: testsOf(path) }])
  const groups = [...others.filter(({ files }) => files.length > 0), { path: 'small', files: SMALL.flatMap(testsOf) }]
  // The largest first, so that none of them runs alone in the end.
  const sizeOf = ({ files }) => files.reduce((sum, file) => sum + statSync(file).size, 0)
  return groups.sort((a, b) => sizeOf(b) - sizeOf(a))
}

/** Of a large folder: each folder in it, and its own tests. */
function partsOf (folder) {
  const folders = within(folder).filter((path) => statSync(path).isDirectory())
  const own = within(folder).filter((path) => !folders.includes(path)).flatMap(testsOf)
  return [...folders.map((path) => ({ path, files: testsOf(path) })), { path: folder, files: own }]
}

build()
// Beside dist/ and as deep as test/, so that paths from a file to others stay the same.
const folder = `.tests.${process.pid}`
try {
  await compile()
  const entries = groups.map(({ path, files }, i) => {
    const entry = join(folder, `${String(i).padStart(2, '0')}-${basename(path)}.mjs`)
    writeFileSync(entry, files.map((file) => `import ${JSON.stringify(urlOf(file))}\n`).join(''))
    return entry
  })
  const { status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', `--test-concurrency=${availableParallelism() + 2}`, ...options, ...entries], { stdio: 'inherit' })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Compiles the tests, without a look at their types. */
async function compile () {
  await esbuild({
    entryPoints: readdirSync('test', { recursive: true }).filter((name) => name.endsWith('.ts')).map((name) => join('test', name)),
    outbase: 'test',
    outdir: folder,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'linked',
    plugins: [{
      name: 'each module once',
      setup ({ onResolve }) {
        onResolve({ filter: /^\.+\/.*\.ts$/, namespace: 'file' }, ({ path, resolveDir, kind }) => {
          const file = relative('.', resolve(resolveDir, path))
          return kind !== 'entry-point' && /^(src|test|clients\/\w+\/src)\//.test(file) ? { path: urlOf(file), external: true } : undefined
        })
      }
    }]
  })
}

/** Where the compiled form of a source is. */
function urlOf (file) {
  const compiled = relative('.', file).replace(/^(clients\/\w+\/)?src\//, '$1dist/').replace(/^test\//, `${folder}/`).replace(/\.ts$/, '.js')
  return pathToFileURL(compiled).href
}

function within (folder) {
  return readdirSync(folder).sort().map((name) => join(folder, name))
}

function testsOf (path) {
  if (!statSync(path).isDirectory()) return path.endsWith('.test.ts') ? [path] : []
  return readdirSync(path, { recursive: true }).filter((name) => name.endsWith('.test.ts')).sort().map((name) => join(path, name))
}
