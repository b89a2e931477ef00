// Runs the tests:
//
//     node test/run.mjs [OPTION of node --test | PATH]...
//
// A path is a test file or a folder of them; without one, all of test/ runs. Many files share a process, because starting one and
// loading the service takes longer than most files. For the same reason they run compiled, on dist/, as for users.

import { spawnSync } from 'node:child_process'
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build as esbuild } from 'esbuild'
import { build } from '../scripts/build.mjs'

const given = process.argv.slice(2)
const options = given.filter((argument) => argument.startsWith('-'))
const paths = given.filter((argument) => !argument.startsWith('-'))

/** More than there are cores, because many tests wait for time to pass; in the full suite, more of them do. */
const PROCESSES = availableParallelism() + (process.env.TEST_FULL === '1' ? 2 : 1)

const files = (paths.length > 0 ? paths : ['test']).flatMap((path) => {
  const found = testsOf(path)
  if (found.length === 0) throw new Error(`${path}: has no file NAME.test.ts`)
  return found
})

/** Divides the files among the processes, as evenly as their sizes predict how long they take. */
function parts () {
  const sized = files.map((file) => ({ file, size: statSync(file).size })).sort((a, b) => b.size - a.size)
  const parts = Array.from({ length: Math.min(PROCESSES, files.length) }, () => ({ files: [], size: 0 }))
  for (const { file, size } of sized) {
    const smallest = parts.reduce((a, b) => b.size < a.size ? b : a)
    smallest.files.push(file)
    smallest.size += size
  }
  return parts
}

build()
// Next to dist/ and as deep as test/, so that relative paths stay the same.
const folder = `.tests.${process.pid}`
try {
  await compile()
  const entries = parts().map(({ files }, i) => {
    const entry = join(folder, `part-${i + 1}.mjs`)
    writeFileSync(entry, files.map((file) => `import ${JSON.stringify(urlOf(file))}\n`).join(''))
    return entry
  })
  const { status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', `--test-concurrency=${PROCESSES}`, ...options, ...entries], { stdio: 'inherit' })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Compiles the tests, without checking types. */
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

/** The URL of a source's compiled form. */
function urlOf (file) {
  const compiled = relative('.', file).replace(/^(clients\/\w+\/)?src\//, '$1dist/').replace(/^test\//, `${folder}/`).replace(/\.ts$/, '.js')
  return pathToFileURL(compiled).href
}

function testsOf (path) {
  if (!statSync(path).isDirectory()) return path.endsWith('.test.ts') ? [path] : []
  return readdirSync(path, { recursive: true }).filter((name) => name.endsWith('.test.ts')).sort().map((name) => join(path, name))
}
