import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { pathToFileURL } from 'node:url'
import { buildTestApp } from '../../support/app.ts'
import { takes } from '../../support/outside.ts'
import { programs } from '../../support/recipes.ts'

/** The commands that run a program, whose packages npm may not have here. */
const RUNTIMES = { deno: ['deno', 'run', '--no-config', '--allow-net', '--allow-read'], bun: ['bun', 'run'] }

/** A connection, beside what the document's program does. */
const MORE = `
const connection = await client.model('custom-lstm').connect()
for await (const { t, output } of connection.steps([{ x: [0.5, -0.25] }, { x: Float32Array.of(0.1, 0.2) }])) console.log(t, output.data.length)
console.log((await connection.floats(Float32Array.of(1, 2))).length)
connection.close()
`
const MORE_PRINTED = '1 3\n2 3\n3\n'

for (const [name, command] of Object.entries(RUNTIMES)) {
  const { skip } = takes(`${name}, from npm`)
  const missing = skip === false && spawnSync('npx', ['--yes', '-p', name, name, '--version'], { timeout: 120_000 }).status !== 0
  test(`the client runs in ${name}`, { skip: missing ? `npm cannot get ${name} here` : skip, timeout: 120_000 }, async (t) => {
    const { listeningOrigin } = await buildTestApp(t)
    const [{ code, printed }] = programs('ts', listeningOrigin)
    const folder = await mkdtemp(join(tmpdir(), 'cellserve-runtime-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    await writeFile(join(folder, 'program.ts'), code.replace('@cellserve/client', pathToFileURL(resolve('clients/typescript/dist/client.js')).href) + MORE)
    const { stdout } = await promisify(execFile)('npx', ['--yes', '-p', name, ...command, 'program.ts'], { cwd: folder, env: { ...process.env, NO_COLOR: '1' } })
    // Each lays out arrays in its own way.
    const plain = (text: string): string => text.replaceAll(/["'\s]+/g, ' ').replaceAll(/ ?([[\],]) ?/g, '$1').trim()
    assert.equal(plain(stdout), plain(printed + MORE_PRINTED))
  })
}
