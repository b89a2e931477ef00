import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, before, after, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { prebuiltFolder } from '../src/engine/prebuilt.ts'
import { takes } from './support/outside.ts'

const run = promisify(execFile)

/** Where a program of this PATH is. */
async function which (program: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', `command -v ${program}`])
  return stdout.trim()
}

describe('the package, packed with an addon and installed in an empty folder without a compiler', takes('npm\'s registry'), () => {
  let folder = ''
  let env: NodeJS.ProcessEnv = {}

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cellserve-package-'))
    await run('npm', ['pack', '--pack-destination', folder])
    await run('sh', ['-c', 'tar -xzf cellserve-*.tgz && rm cellserve-*.tgz'], { cwd: folder })
    const prebuilt = join(folder, 'package', prebuiltFolder())
    if (!existsSync(prebuilt)) { // `npm run pack:native` has put none there
      await mkdir(prebuilt, { recursive: true })
      await copyFile('build/Release/cellserve.node', join(prebuilt, 'cellserve.node'))
    }
    await run('npm', ['pack', '--ignore-scripts', './package'], { cwd: folder })

    const programs = join(folder, 'programs')
    await mkdir(programs)
    for (const program of ['env', 'node', 'npm', 'npx', 'sh']) await symlink(await which(program), join(programs, program))
    env = { ...process.env, PATH: programs }
    await writeFile(join(folder, 'package.json'), '{"private": true, "type": "module"}')
    const { stdout } = await run('sh', ['-c', 'npm install --prefer-offline --no-audit --no-fund --foreground-scripts ./cellserve-*.tgz'], { cwd: folder, env })
    assert.ok(stdout.includes(`cellserve: the native engine is prebuilt (${prebuiltFolder()})`), stdout)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  test('it holds all that its addon is built of', async () => {
    const { stdout } = await run('git', ['ls-files', 'native', 'binding.gyp', 'scripts/install-native.mjs', 'scripts/node-gyp.mjs'])
    const sources = stdout.trim().split('\n').filter((file) => !file.startsWith('native/test/'))
    assert.ok(sources.includes('native/kernel/neon.cc'))
    const packed = new Set(await readdir(join(folder, 'node_modules/cellserve'), { recursive: true }))
    assert.deepEqual(sources.filter((file) => !packed.has(file)), [])
  })

  /** `npx cellserve` on a free port. */
  async function serve (t: TestContext): Promise<string> {
    // npx starts the service through a shell, so the test ends all three as a group.
    const child = spawn('npx', ['cellserve', '--port', '0'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
    const { pid } = child
    assert.ok(pid !== undefined)
    t.after(async () => {
      process.kill(-pid, 'SIGKILL')
      await once(child, 'close')
    })
    for await (const line of createInterface(child.stdout)) {
      const [, url] = /Server listening at (http:\/\/[\d.:]+)/.exec(line) ?? []
      if (url !== undefined) return url
    }
    throw new Error('cellserve ended')
  }

  test('npx cellserve --help answers', async () => {
    const { stdout } = await run('npx', ['cellserve', '--help'], { cwd: folder, env })
    assert.match(stdout, /^Usage: cellserve /)
  })

  test('no client comes with it', async () => {
    const packages = await readdir(join(folder, 'node_modules'))
    assert.deepEqual(packages.filter((name) => name === 'openapi-fetch' || name === '@cellserve'), [])
    assert.ok(!(await readdir(join(folder, 'node_modules/cellserve'))).includes('clients'))
  })

  test('npx cellserve serves the demo models, natively', async (t) => {
    const url = await serve(t)
    const answer: { models: Array<{ name: string, engine: { name: string } }> } = await (await fetch(`${url}/models`)).json()
    assert.deepEqual(answer.models.map(({ name, engine }) => [name, engine.name]),
      ['attention-decoder', 'bidirectional-lstm', 'custom-lstm', 'gru', 'matching-networks', 'symmetric'].map((name) => [name, 'native']))
    assert.equal((await fetch(`${url}/docs/`)).status, 200)
  })
})
