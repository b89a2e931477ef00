// Runs the tests, two processes at a time:
//
//     node test/run.mjs [OPTION of node --test | PATH]...
//
// A path is a test file or a folder of them, and every one of test/ if there is none. A folder's tests share a process,
// because starting one and loading the service takes longer than most of them do.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const given = process.argv.slice(2)
const options = given.filter((argument) => argument.startsWith('-'))
const paths = given.filter((argument) => !argument.startsWith('-'))

const groups = paths.length > 0
  ? paths.map((path) => ({ path, files: testsOf(path) }))
  : readdirSync('test').map((name) => join('test', name)).map((path) => ({ path, files: testsOf(path) })).filter(({ files }) => files.length > 0)
const empty = groups.find(({ files }) => files.length === 0)
if (empty !== undefined) throw new Error(`${empty.path}: has no file NAME.test.ts`)

const folder = mkdtempSync(join(tmpdir(), 'cellserve-tests-'))
try {
  const entries = groups.map(({ path, files }, i) => {
    const entry = join(folder, `${i}-${basename(path)}.mjs`)
    writeFileSync(entry, files.map((file) => `import ${JSON.stringify(pathToFileURL(resolve(file)).href)}\n`).join(''))
    return entry
  })
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', '--test', '--test-concurrency=2', ...options, ...entries], { stdio: 'inherit' })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true })
}

function testsOf (path) {
  if (!statSync(path).isDirectory()) return path.endsWith('.test.ts') ? [path] : []
  return readdirSync(path, { recursive: true }).filter((name) => name.endsWith('.test.ts')).sort().map((name) => join(path, name))
}
