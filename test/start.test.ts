import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { onlyFull } from './support/full.ts'
import { ADDRESS, start } from './support/process.ts'

/** A separate checkout without src/ and dist/, with the packages of this one except those that are left out. */
async function checkout (t: TestContext, without: readonly string[] = []): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-checkout-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  for (const path of ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts', 'models']) await cp(path, join(folder, path), { recursive: true })
  await mkdir(join(folder, 'node_modules'))
  for (const name of await readdir('node_modules')) {
    if (!without.includes(name)) await symlink(resolve('node_modules', name), join(folder, 'node_modules', name))
  }
  await symlink(resolve('build'), join(folder, 'build'))
  return folder
}

const COMPILER = ['typescript', '.bin']
/** Whether `dist/` is built without its bundle, as it is when the coverage is measured. */
const NO_BUNDLE = process.env.NO_BUNDLE === '1'

const npmStart = (t: TestContext, folder: string) => start(t, 'npm', ['start', '--', '--port', '0'], { cwd: folder, detached: true })

describe('a compiled checkout', onlyFull('copies another checkout'), () => {
  async function compiled (t: TestContext, without?: readonly string[]): Promise<string> {
    const folder = await checkout(t, without)
    for (const path of ['src', 'dist']) await cp(path, join(folder, path), { recursive: true })
    return folder
  }

  test('npm start writes nothing, and a signal to npm ends the service', async (t) => {
    const folder = await compiled(t)
    // A folder's time is that of the last file that came or went.
    const times = async () => await Promise.all(['', 'dist', 'dist/main.js', 'dist/.sources'].map(async (path) => (await stat(join(folder, path))).mtimeMs))
    const before = await times()
    const service = npmStart(t, folder)
    const url = await service.line(ADDRESS)
    assert.equal((await fetch(`${url}/health/ready`)).status, 200)
    assert.deepEqual(await times(), before)
    service.stop()
    await service.exited
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const open = await once(socket, 'connect').then(() => true, () => false)
    socket.destroy()
    assert.ok(!open, 'the service still listens')
  })

  test('npm start needs no development dependency', async (t) => {
    await npmStart(t, await compiled(t, COMPILER)).line(/"msg":"ready"/)
  })

  test('the program loads what each start needs from its bundle', { skip: NO_BUNDLE && 'it is built without one' }, async (t) => {
    const folder = await compiled(t, ['fastify', 'ajv', 'pino', 'prom-client', 'typebox', 'ws'])
    await start(t, process.execPath, ['dist/main.js', '--port', '0'], { cwd: folder }).line(/"msg":"ready"/)
  })
})

// The program does not matter here, and a small one compiles sooner.
describe('a checkout whose sources have changed', onlyFull('compiles five times'), () => {
  async function changed (t: TestContext, program: string, without?: readonly string[]): Promise<string> {
    const folder = await checkout(t, without)
    await mkdir(join(folder, 'src'))
    await mkdir(join(folder, 'dist'))
    await writeFile(join(folder, 'src/main.ts'), `${program}\nsetInterval(() => {}, 1000)\n`)
    await writeFile(join(folder, 'dist/main.js'), 'console.log(\'old\')\n')
    await writeFile(join(folder, 'dist/gone.js'), 'what the sources no longer have\n')
    return folder
  }

  test('two starts at once both compile it, and both run it', async (t) => {
    const folder = await changed(t, 'console.log(\'new\' satisfies string)')
    await Promise.all([npmStart(t, folder), npmStart(t, folder)].map(async (service) => await service.line(/^new$/m)))
    assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith('dist')), ['dist'])
    assert.deepEqual((await readdir(join(folder, 'dist'))).sort(), ['.sources', ...(NO_BUNDLE ? [] : ['bundle']), 'main.d.ts', 'main.js', 'main.js.map'])
  })

  test('what does not compile is not run, and what was compiled stays', async (t) => {
    const folder = await changed(t, 'export const wrong: number = \'text\'')
    const { code, stdout, stderr } = await npmStart(t, folder).ended
    assert.equal(code, 1)
    assert.match(stdout, /src\/main\.ts\(\d+,\d+\): error TS2322/)
    assert.match(stderr, /^cellserve: src\/ has errors$/m)
    assert.equal(await readFile(join(folder, 'dist/main.js'), 'utf8'), 'console.log(\'old\')\n')
    assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith('dist')), ['dist'])
  })

  test('without the compiler it is run where Node.js can run the sources, and what is old nowhere', async (t) => {
    const folder = await changed(t, 'console.log(\'new\' satisfies string)', COMPILER)
    const service = npmStart(t, folder)
    if ('typescript' in process.features && process.features.typescript !== false) {
      await service.line(/^new$/m)
    } else {
      const { code, stdout, stderr } = await service.ended
      assert.equal(code, 1)
      assert.doesNotMatch(stdout, /^old$/m)
      assert.match(stderr, /^cellserve: dist\/ is not of these sources and the compiler, a development dependency, is not installed: `npm ci` installs it/m)
    }
    // The install continues anyway.
    assert.equal(spawnSync('npm', ['run', 'prepare'], { cwd: folder }).status, 0)
  })
})
