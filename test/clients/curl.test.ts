import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { buildTestApp } from '../support/app.ts'
import { takes } from '../support/outside.ts'
import { commands } from '../support/recipes.ts'

const run = promisify(execFile)

describe('the commands of docs/clients/curl.md print what it says', takes('curl'), () => {
  test('curl', async (t) => {
    const url = (await buildTestApp(t)).listeningOrigin
    const calls = commands('curl', url)
    assert.equal(calls.length, 2)
    // curl fails if the service answers an error, but still prints the problem.
    for (const { code, printed } of calls) assert.equal((await run('sh', ['-c', `${code} || true`])).stdout, printed)
  })
})
