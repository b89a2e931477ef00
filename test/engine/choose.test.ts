import assert from 'node:assert/strict'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type * as choose from '../../src/engine/choose.ts'
import { chooseEngine } from '../../src/engine/choose.ts'
import { onlyFull } from '../support/full.ts'

test('an installation with neither the addon nor TensorFlow.js says so', onlyFull('starts processes'), async (t) => {
  const elsewhere = await mkdtemp(join(tmpdir(), 'cellserve-'))
  t.after(() => rm(elsewhere, { recursive: true }))
  await cp('dist', join(elsewhere, 'dist'), { recursive: true })
  await writeFile(join(elsewhere, 'package.json'), '{"type": "module"}')
  const there: typeof choose = await import(pathToFileURL(join(elsewhere, 'dist/engine/choose.js')).href)
  await assert.rejects(there.chooseEngine('tfjs'), { message: 'TensorFlow.js is not part of this installation' })
  await assert.rejects(there.chooseEngine('native'), /addon has not been built/)
  await assert.rejects(there.chooseEngine('auto'), /addon has not been built.*; TensorFlow\.js is not part of this installation$/)
})

test('an instruction set that is not there stops the start, whatever else could compute', async () => {
  for (const name of ['auto', 'native'] as const) await assert.rejects(chooseEngine(name, { threads: 1, isa: 'mmx' }), /isa is mmx, but this CPU and build run|addon has not been built/)
})
