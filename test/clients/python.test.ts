import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { buildTestApp } from '../support/app.ts'
import { lacks, project } from '../support/generated.ts'
import { takes } from '../support/outside.ts'
import { commands, programs } from '../support/recipes.ts'

const python = `${process.env.TEST_PYTHON ?? 'python3'} program.py`

describe('the programs of docs/clients/python.md print what it says', takes('Python and requests'), () => {
  test('requests', async (t) => {
    const [{ code, printed }] = programs('python', (await buildTestApp(t)).listeningOrigin)
    const here = await project(t, 'openapi/openapi.json')
    await here.write('program.py', code)
    assert.equal(await here.run(python), printed)
  })

  test('a client that openapi-python-client generates', { skip: lacks('openapi-python-client', '--version') }, async (t) => {
    const url = (await buildTestApp(t)).listeningOrigin
    const [, { code, printed }] = programs('python', url)
    const here = await project(t, 'openapi/openapi.json')
    for (const command of commands('python', url)) await here.run(command.code)
    await here.write('program.py', code)
    assert.equal(await here.run(python), printed)
  })
})
