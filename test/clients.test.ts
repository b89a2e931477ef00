import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { buildTestApp } from './support/app.ts'
import { takes } from './support/outside.ts'
import { commands, programs } from './support/recipes.ts'

const run = promisify(execFile)

async function python (t: TestContext, code: string, generate?: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-client-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  if (generate !== undefined) await run('sh', ['-c', generate.replace('openapi/openapi.json', resolve('openapi/openapi.json'))], { cwd: folder })
  await writeFile(join(folder, 'program.py'), code)
  return (await run(process.env.TEST_PYTHON ?? 'python3', ['program.py'], { cwd: folder })).stdout
}

const generator = 'openapi-python-client'

describe('the recipes of docs/clients.md print what it says', takes('curl, Python and requests'), () => {
  test('curl', async (t) => {
    const url = (await buildTestApp(t)).listeningOrigin
    const calls = commands(url).filter(({ code }) => code.startsWith('curl'))
    assert.equal(calls.length, 2)
    // curl fails if the service answers an error, but still prints the problem.
    for (const { code, printed } of calls) assert.equal((await run('sh', ['-c', `${code} || true`])).stdout, printed)
  })

  test('requests', async (t) => {
    const [{ code, printed }] = programs('python', (await buildTestApp(t)).listeningOrigin)
    assert.equal(await python(t, code), printed)
  })

  const missing = spawnSync(generator, ['--version']).error !== undefined
  test('a generated client', { skip: missing && `takes ${generator}, from PyPI` }, async (t) => {
    const url = (await buildTestApp(t)).listeningOrigin
    const [, { code, printed }] = programs('python', url)
    const generate = commands(url).find(({ code }) => code.startsWith(generator))
    assert.equal(await python(t, code, generate?.code), printed)
  })
})
