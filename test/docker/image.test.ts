import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { readConfig } from '../../src/config/settings.ts'
import { freePort } from '../support/free-port.ts'
import { onlyFull } from '../support/full.ts'
import { start } from '../support/process.ts'
import { imageEnvironment, instructions } from './image.ts'

test('it needs no shell, no name of a user and no name of a signal to run', async () => {
  const lines = await instructions()
  const service = lines.slice(lines.findIndex((line) => / AS service$/.test(line)))
  assert.ok(service.every((line) => !line.startsWith('RUN ')), 'an image that runs is made of copies alone')
  const commands = service.filter((line) => /^(ENTRYPOINT|CMD|HEALTHCHECK) /.test(line))
  assert.equal(commands.length, 2)
  for (const command of commands) assert.match(command, /\["node", "[\w./]+"\]$/)
  assert.deepEqual(service.filter((line) => line.startsWith('USER ')), ['USER 1000:1000'])
  assert.deepEqual(service.filter((line) => line.startsWith('STOPSIGNAL ')), ['STOPSIGNAL SIGTERM'])
})

test('cellserve is the default target', async () => {
  const stages = (await instructions()).filter((line) => line.startsWith('FROM '))
  assert.match(stages.at(-1) ?? '', / AS cellserve$/)
  assert.ok(stages.some((line) => / AS cellserve-tfjs$/.test(line)))
})

test('cellserve leaves out every package of TensorFlow that is asked for', async () => {
  const { dependencies, optionalDependencies = {}, peerDependencies = {} }: Record<string, Record<string, string>> = JSON.parse(await readFile('package.json', 'utf8'))
  const uninstall = (await instructions()).find((line) => line.includes('npm uninstall'))?.split(' ') ?? []
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
    assert.equal(uninstall.includes(name), name.startsWith('@tensorflow/'), name)
  }
})

test('its variables are cellserve\'s, and its port is the one that is exposed', async () => {
  const config = readConfig([], await imageEnvironment())
  assert.ok(typeof config === 'object')
  assert.equal(config.host, '0.0.0.0')
  assert.equal(config.models, '/models')
  assert.ok((await instructions()).includes(`EXPOSE ${config.port}`))
  assert.ok((await instructions()).includes(`COPY models ${config.models}`))
})

test('what it copies is in the context', async () => {
  const kept = (await readFile('.dockerignore', 'utf8')).split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1))
  const copied = (await instructions()).filter((line) => line.startsWith('COPY ') && !line.includes('--from=')).flatMap((line) => line.split(' ').slice(1, -1))
  assert.ok(copied.length > 5)
  for (const path of copied) assert.ok(kept.some((pattern) => new RegExp(`^${pattern.replace('*', '.*')}$`).test(path)), path)
})

test('the health check asks where the flags and the variables of the service say that it listens', onlyFull('starts processes'), async (t) => {
  const free = String(await freePort())
  const listening: ReadonlyArray<[flags: readonly string[], env: Record<string, string>]> = [
    [['--port', free], {}],
    [[`--port=${free}`, '--host', '0.0.0.0'], { CELLSERVE_PORT: '1' }],
    [['--host', 'localhost', '--api-key', 'correct-horse'], { CELLSERVE_PORT: free }],
    [['--host', '::1', '--port', free], {}]
  ]
  for (const [flags, env] of listening) {
    const environment = { PATH: process.env.PATH, ...env }
    const service = start(t, process.execPath, ['dist/main.js', ...flags], { env: environment })
    await service.line(/"msg":"ready"/)
    const healthcheck = async (): Promise<unknown> => (await start(t, process.execPath, ['dist/cli/healthcheck.js', String(service.pid)], { env: environment }).ended).code
    assert.equal(await healthcheck(), 0, flags.join(' '))
    service.stop('SIGKILL')
    await service.ended
    assert.equal(await healthcheck(), 1)
  }
})
