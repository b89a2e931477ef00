import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, before, after, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { takes } from './support/outside.ts'
import { programs } from './support/recipes.ts'

const run = promisify(execFile)

describe('the package, packed and installed in an empty folder', takes('npm\'s registry'), () => {
  let folder = ''

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cellserve-package-'))
    await run('npm', ['pack', '--pack-destination', folder])
    await writeFile(join(folder, 'package.json'), '{"private": true, "type": "module"}')
    const { stdout } = await run('sh', ['-c', 'npm install --prefer-offline --no-audit --no-fund --foreground-scripts ./cellserve-*.tgz'], { cwd: folder })
    assert.match(stdout, /cellserve: the native engine is (built|prebuilt)/)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  /** `npx cellserve` on a free port. */
  async function serve (t: TestContext): Promise<string> {
    // npx starts the service through a shell, so the test ends all three as a group.
    const child = spawn('npx', ['cellserve', '--port', '0'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
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
    const { stdout } = await run('npx', ['cellserve', '--help'], { cwd: folder })
    assert.match(stdout, /^Usage: cellserve /)
  })

  test('npx cellserve serves the demo models, natively', async (t) => {
    const url = await serve(t)
    const answer: { models: Array<{ name: string, engine: { name: string } }> } = await (await fetch(`${url}/models`)).json()
    assert.deepEqual(answer.models.map(({ name, engine }) => [name, engine.name]),
      ['attention-decoder', 'bidirectional-lstm', 'custom-lstm', 'gru', 'matching-networks', 'symmetric'].map((name) => [name, 'native']))
    assert.equal((await fetch(`${url}/docs/`)).status, 200)
  })

  for (const [module, moduleResolution] of [['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
    test(`the program of docs/clients/typescript.md compiles with moduleResolution ${moduleResolution}, and runs`, async (t) => {
      const [{ code, printed }, ...others] = programs('ts', await serve(t))
      assert.equal(others.length, 0)
      await writeFile(join(folder, 'consumer.ts'), code)
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({
        compilerOptions: { target: 'es2022', module, moduleResolution, strict: true, exactOptionalPropertyTypes: true, types: ['node'], typeRoots: [resolve('node_modules/@types')] },
        files: ['consumer.ts']
      }))
      await run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', folder]).catch(({ stdout }) => assert.fail(stdout))
      const { stdout } = await run(process.execPath, ['consumer.js'], { cwd: folder })
      assert.equal(stdout, printed)
    })
  }
})
