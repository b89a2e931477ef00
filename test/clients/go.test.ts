import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { buildTestApp } from '../support/app.ts'
import { lacks, project } from '../support/generated.ts'
import { takes } from '../support/outside.ts'
import { commands, fileOf, programs } from '../support/recipes.ts'

describe('the program of docs/clients/go.md prints what it says', takes('Go'), () => {
  test('a client that oapi-codegen generates', { skip: lacks('oapi-codegen', '--version') }, async (t) => {
    const url = (await buildTestApp(t)).listeningOrigin
    const [{ code, printed }] = programs('go', url)
    const here = await project(t, 'openapi/openapi-3.0.json')
    await here.write('cells.yaml', fileOf('go', 'yaml'))
    for (const command of commands('go', url)) await here.run(command.code)
    await here.write('main.go', code)
    assert.equal(await here.run('go run .'), printed)
  })
})
