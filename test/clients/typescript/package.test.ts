import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { buildTestApp } from '../../support/app.ts'
import { onlyFull } from '../../support/full.ts'
import { programs } from '../../support/recipes.ts'

const run = promisify(execFile)

describe('the client, packed and installed in an empty folder', onlyFull('packs and compiles it'), () => {
  let folder = ''

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cellserve-client-'))
    await run('npm', ['pack', '--workspace', '@cellserve/client', '--pack-destination', folder])
    await writeFile(join(folder, 'package.json'), '{"private": true, "type": "module"}')
    await run('sh', ['-c', 'npm install --offline --no-audit --no-fund ./cellserve-client-*.tgz'], { cwd: folder })
  })
  after(() => rm(folder, { recursive: true, force: true }))

  test('it depends on nothing', async () => {
    const { packages }: { packages: object } = JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8'))
    assert.deepEqual(Object.keys(packages), ['', 'node_modules/@cellserve/client'])
  })

  // With the types of Node.js alone, and with those of a browser alone.
  for (const [moduleResolution, compilerOptions] of Object.entries({
    nodenext: { module: 'nodenext', lib: ['es2022'], types: ['node'], typeRoots: [resolve('node_modules/@types')] },
    bundler: { module: 'esnext', lib: ['es2022', 'dom', 'dom.asynciterable'], types: [] }
  })) {
    test(`the program of docs/clients/typescript.md compiles with moduleResolution ${moduleResolution}, and runs`, async (t) => {
      const [{ code, printed }, ...others] = programs('ts', (await buildTestApp(t)).listeningOrigin)
      assert.equal(others.length, 0)
      await writeFile(join(folder, 'consumer.ts'), code)
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({
        compilerOptions: { target: 'es2022', moduleResolution, strict: true, exactOptionalPropertyTypes: true, ...compilerOptions }, files: ['consumer.ts']
      }))
      await run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', folder]).catch(({ stdout }) => assert.fail(stdout))
      const { stdout } = await run(process.execPath, ['consumer.js'], { cwd: folder })
      assert.equal(stdout, printed)
    })
  }
})
