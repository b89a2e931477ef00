import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { readConfig } from '../../src/config/settings.ts'

const UNIT = 'docker/systemd/cellserve@.service'
const unit = await readFile(UNIT, 'utf8')

function value (name: string): string {
  return new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? assert.fail(`no ${name}`)
}

test('the service takes the flags and variables of the unit', () => {
  const [, program, flags] = /^(\S+ \S+) (.*)$/.exec(value('ExecStart')) ?? []
  assert.equal(program, '/usr/bin/node /opt/cellserve/dist/main.js')
  const env = Object.fromEntries(value('Environment').split(' ').map((pair) => pair.split('=')))
  const config = readConfig(flags.replaceAll('%i', '8081').split(' '), env)
  assert.ok(typeof config === 'object')
  assert.deepEqual([config.port, config['api-key-file']], [8081, '%d/keys'])
})

test('it has the time that a drain takes, and comes back however it ended', async () => {
  const { services: { cellserve } }: { services: { cellserve: { stop_grace_period: string } } } = parse(await readFile('docker/compose.yaml', 'utf8'))
  assert.ok(Number(value('TimeoutStopSec')) >= parseInt(cellserve.stop_grace_period))
  assert.equal(value('Restart'), 'always')
})

const able = spawnSync('systemd-analyze', ['--version']).status === 0 && existsSync('/usr/bin/node')

test('systemd-analyze verify', { skip: !able && 'systemd-analyze or /usr/bin/node is not installed' }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-unit-'))
  t.after(() => rm(folder, { recursive: true }))
  await copyFile(UNIT, join(folder, 'cellserve@8080.service'))
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', join(folder, 'cellserve@8080.service')], { encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr.split('\n').filter((line) => line.includes('cellserve'))], [0, '', []])
})
