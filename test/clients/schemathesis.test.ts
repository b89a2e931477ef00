import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { startService } from '../support/app.ts'
import type { Closing } from '../support/closing.ts'
import { lacks } from '../support/generated.ts'
import { takes } from '../support/outside.ts'

const run = promisify(execFile)

/** All checks, over requests that schemathesis makes of the document at that path: those that fit it, and those that do not. */
async function check (t: Closing, url: string, path: string, config: string, ...flags: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-schemathesis-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  // The same requests in each run: without the phase that follows links, whose requests hang on answers.
  const args = ['--config-file', resolve('test/clients/schemathesis', config), 'run', url + path, '--url', url, '--phases', 'examples,fuzzing',
    '--max-examples', '15', '--generation-deterministic', '--suppress-health-check', 'all', '--no-color', ...flags]
  await run('schemathesis', args, { cwd: folder, timeout: 240_000 }).catch(({ stdout }) => { throw new Error(stdout) })
}

describe('schemathesis finds nothing', takes('schemathesis'), () => {
  const skip = lacks('schemathesis', '--version')

  test('with API keys, by the document of the service', { skip }, async (t) => {
    const { app } = await startService(t, '--api-key', 'open-sesame')
    await check(t, app.listeningOrigin, '/openapi.json', 'service.toml', '--header', 'Authorization: Bearer open-sesame')
  })

  test('without, by the document of a model', { skip }, async (t) => {
    const { app } = await startService(t)
    await check(t, app.listeningOrigin, '/models/matching-networks/openapi.json', 'model.toml')
  })
})
