import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import supertest from 'supertest'
import { WebSocket } from 'ws'
import { startService } from './support/app.ts'
import { onlyFull, scaled } from './support/full.ts'
import { inferJson, jsonInference } from './support/inference.ts'
import { writeModels } from './support/models.ts'
import { tensorOf } from './support/nested.ts'
import { run, ADDRESS } from './support/process.ts'
import { openSocket } from './support/sockets.ts'
import { until } from './support/until.ts'
import { loadVersions, replaceFile, VERSIONS } from './support/versions.ts'

const X = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4]]
const [FIRST, SECOND, THIRD] = VERSIONS

async function serve (t: TestContext, files: Parameters<typeof writeModels>[1] = { 'm.safetensors': FIRST }, ...flags: string[]) {
  const folder = await writeModels(t, files)
  const service = await startService(t, '--models', folder, ...flags)
  const request = supertest(service.app.server)
  const describe = async () => (await request.get('/models/m').expect(200)).body
  const metric = async (line: RegExp): Promise<boolean> => line.test(await service.metrics.register.metrics())
  return { folder, request, describe, metric, ...service }
}

test('a file that has changed is served from the next request on, under its own version', async (t) => {
  const { folder, request, describe, reload, metric } = await serve(t)
  const before = await describe()
  await replaceFile(folder, 'm.safetensors', SECOND)
  await reload()
  const after = await describe()
  assert.notEqual(after.version, before.version)
  assert.deepEqual([before.sizes.Ho, after.sizes.Ho], [3, 4])
  const { body, headers } = await request.post('/step').send({ x: X[0] }).expect(200)
  assert.equal(headers['x-model-version'], after.version)
  assert.equal(body.h_out.length, 4)
  const { body: document } = await request.get('/models/m/openapi.json').expect(200).expect('x-model-version', after.version)
  assert.match(document.info.description, new RegExp(after.version))
  assert.equal(document.components.schemas.StepAnswer.properties.h_out.items.maxItems, 4)
  assert.ok(await metric(new RegExp(`^cellserve_model_info\\{model="m",version="${after.version}"\\} 1$`, 'm')))
  assert.ok(await metric(/^cellserve_model_versions 1$/m), 'the weights of the old version are given back')
  assert.ok(await metric(/^cellserve_reloads_total\{model="m",result="loaded"\} 1$/m))
})

test('a file that is only touched, or replaced by the same bytes, is the same version: sessions go on', async (t) => {
  const { folder, request, reload, registry } = await serve(t)
  const [model] = registry.models
  const { headers: { location } } = await request.post('/models/m/sessions').send({}).expect(201)
  await replaceFile(folder, 'm.safetensors', FIRST)
  await reload()
  assert.equal(registry.models[0], model)
  await request.post(`${location}/step`).send({ x: X[0] }).expect(200)
})

test('a broken file keeps the old version serving, and says so until it is mended', async (t) => {
  const { folder, request, describe, reload, metric } = await serve(t)
  const before = await describe()
  await replaceFile(folder, 'm.safetensors', SECOND.subarray(0, 100))
  await reload()
  const broken = await describe()
  assert.equal(broken.version, before.version)
  assert.match(broken.error, /m\.safetensors: declares a header of \d+ bytes, but has only/)
  await request.post('/step').send({ x: X[0] }).expect(200).expect('x-model-version', before.version)
  assert.ok(await metric(/^cellserve_model_fault\{model="m"\} 1$/m))
  assert.ok(await metric(/^cellserve_reloads_total\{model="m",result="failed"\} 1$/m))
  await replaceFile(folder, 'm.safetensors', SECOND)
  await reload()
  const mended = await describe()
  assert.equal(mended.error, undefined)
  assert.equal(mended.sizes.Ho, 4)
  assert.ok(!await metric(/^cellserve_model_fault\{/m))
})

test('every way in which new files can be wrong leaves the old ones in service', onlyFull('takes seconds'), async (t) => {
  const { folder, describe, reload } = await serve(t, { 'm/model.safetensors': FIRST })
  const { version } = await describe()
  for (const [config, why] of [['{', /is not JSON/], ['{"feedback": {"policy": "nobody"}}', /expected one of none/], ['{"feedbak": {}}', /\/feedbak: is not a known field/]] as const) {
    await replaceFile(join(folder, 'm'), 'config.json', config)
    await reload()
    const { error, version: served } = await describe()
    assert.match(error, why)
    assert.equal(served, version)
  }
  await rm(join(folder, 'm/config.json'))
  await reload()
  assert.equal((await describe()).error, undefined)
})

test('new models appear, and removed ones are gone once what they had begun has ended', onlyFull('takes seconds'), async (t) => {
  const { folder, app, request, reload, metric } = await serve(t, { 'm.safetensors': FIRST, 'other.safetensors': SECOND })
  const socket = await openSocket(t, app, '/models/other/stream')
  assert.equal((await socket.ask({ x: X[0] })).t, 1)
  await replaceFile(folder, 'new.safetensors', THIRD)
  await rm(join(folder, 'other.safetensors'))
  await reload()
  const { body: { models } } = await request.get('/models').expect(200)
  assert.deepEqual(models.map(({ name }: { name: string }) => name), ['m', 'new'])
  await request.post('/models/new/step').send({ x: X[0] }).expect(200)
  const { body } = await request.post('/models/other/step').send({ x: X[0] }).expect(404)
  assert.match(body.detail, /there is no model "other"; the models are m, new/)
  assert.equal((await socket.ask({ x: X[1] })).t, 2, 'the socket goes on')
  assert.ok(await metric(/^cellserve_model_versions 3$/m))
  socket.socket.close()
  await until(async () => await metric(/^cellserve_model_versions 2$/m), 'the version of the socket goes')
})

test('a stream that began before a reload ends as it began', onlyFull('takes seconds'), async (t) => {
  const { folder, app, reload, describe } = await serve(t)
  const { version } = await describe()
  const abort = new AbortController()
  t.after(() => abort.abort())
  const answer = await fetch(`${app.listeningOrigin}/sequence`, {
    method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' }, body: JSON.stringify({ x: [X[0]], steps: 60_000 }), signal: abort.signal
  })
  assert.equal(answer.headers.get('x-model-version'), version)
  await replaceFile(folder, 'm.safetensors', SECOND)
  await reload()
  assert.notEqual((await describe()).version, version)
  const lines = (await answer.text()).trimEnd().split('\n').map((line): { output?: number[][], h_out?: number[][] } => JSON.parse(line))
  assert.equal(lines.length, 60_001)
  assert.ok(lines.slice(0, -1).every(({ output = [] }) => output.flat().length === 3))
  assert.equal(lines.at(-1)?.h_out?.flat().length, 3)
})

test('a session of a replaced model has ended, and says why', onlyFull('takes seconds'), async (t) => {
  const { folder, request, app, reload } = await serve(t)
  const { headers: { location } } = await request.post('/models/m/sessions').send({}).expect(201)
  const socket = await openSocket(t, app, `/models/m/stream?session=${location.split('/').at(-1)}`)
  assert.equal((await socket.ask({ x: X[0] })).t, 1)
  await replaceFile(folder, 'm.safetensors', SECOND)
  await reload()
  for (const [method, path] of [['post', `${location}/step`], ['get', location], ['delete', location]] as const) {
    const { body } = await request[method](path).send(method === 'post' ? { x: X[0] } : undefined).expect(410)
    assert.equal(body.detail, 'the session has ended: model replaced')
  }
  assert.equal((await socket.ask({ x: X[0] })).status, 410)
})

test('a folder that vanishes for a moment takes no model with it', onlyFull('takes seconds'), async (t) => {
  const { folder, request, describe, reload, metric } = await serve(t)
  const { version } = await describe()
  await rename(folder, `${folder}.away`)
  await mkdir(folder)
  await reload()
  await request.post('/step').send({ x: X[0] }).expect(200).expect('x-model-version', version)
  assert.ok(await metric(/^cellserve_reloads_total\{model="n\/a",result="failed"\} 1$/m))
  await rm(folder, { recursive: true })
  await reload()
  await request.post('/step').send({ x: X[0] }).expect(200)
  await rename(`${folder}.away`, folder)
  await replaceFile(folder, 'm.safetensors', SECOND)
  await reload()
  assert.notEqual((await describe()).version, version)
})

test('a file that is being copied is loaded once it stays as it is', onlyFull('takes seconds'), async (t) => {
  const { folder, describe } = await serve(t, undefined, '--watch', '0.1')
  const { version } = await describe()
  const path = join(folder, 'm.safetensors')
  // A copy in place: for a while there is a half of it.
  for (let part = 1; part <= 8; part++) {
    await writeFile(path, SECOND.subarray(0, Math.ceil(SECOND.length * part / 8)))
    const now = await describe()
    assert.deepEqual([now.version, now.error], [version, undefined])
    await setTimeout(60)
  }
  await until(async () => (await describe()).version !== version, 'the copy is loaded')
  assert.equal((await describe()).error, undefined)
})

test('--watch follows the links that Kubernetes swaps', onlyFull('takes seconds'), async (t) => {
  const folder = await writeModels(t, { '..one/m.safetensors': FIRST, '..two/m.safetensors': SECOND })
  await symlink('..one', join(folder, '..data'))
  await symlink('..data/m.safetensors', join(folder, 'm.safetensors'))
  const { app } = await startService(t, '--models', folder, '--watch', '0.1')
  const outputs = async (): Promise<number> => (await supertest(app.server).get('/models/m').expect(200)).body.sizes.Ho
  assert.equal(await outputs(), 3)
  await symlink('..two', join(folder, '..next'))
  await rename(join(folder, '..next'), join(folder, '..data'))
  await rm(join(folder, '..one'), { recursive: true })
  await until(async () => await outputs() === 4, 'the other folder is served')
})

test('a reload that would leave no default model, or several, changes nothing and says so', onlyFull('takes seconds'), async (t) => {
  const { folder, request, describe, reload, metric } = await serve(t, { 'm.safetensors': FIRST }, '--default-model', 'm')
  const { version } = await describe()
  await rename(join(folder, 'm.safetensors'), join(folder, 'n.safetensors'))
  await reload()
  await request.post('/step').send({ x: X[0] }).expect(200).expect('x-model-version', version)
  await request.get('/models/n').expect(404)
  assert.ok(await metric(/^cellserve_reloads_total\{model="n\/a",result="failed"\} 1$/m))
  await replaceFile(folder, 'm.safetensors', SECOND)
  await reload()
  await request.get('/models/n').expect(200)
  assert.notEqual((await describe()).version, version)
})

test('a model beside the only one makes no default: requests name one, as after a start', async (t) => {
  const { folder, request, reload } = await serve(t)
  await request.post('/step').send({ x: X[0] }).expect(200)
  await replaceFile(folder, 'other.safetensors', SECOND)
  await reload()
  const { body } = await request.post('/step').send({ x: X[0] }).expect(404)
  assert.match(body.detail, /none is the default: name one in the path/)
  await rm(join(folder, 'other.safetensors'))
  await reload()
  await request.post('/step').send({ x: X[0] }).expect(200)
})

test('while models reload, each answer is that of the version that it names', onlyFull('takes seconds'), async (t) => {
  const expected = await loadVersions(t)
  const { folder, app, request, reload, registry, metric } = await serve(t)
  const whole = new Map(await Promise.all([...expected].map(async ([version, model]) => {
    const { output } = await model.sequence({ x: tensorOf([X]) })
    return [version, output.data] as const
  })))
  const seen = new Map<string, number>()
  const traffic = { over: false }
  let answers = 0
  let ended = 0

  function check (version: string | undefined, output: readonly unknown[], what: string): void {
    answers++
    const known = whole.get(version ?? '') ?? assert.fail(`${what}: no version ${version}`)
    seen.set(version ?? '', (seen.get(version ?? '') ?? 0) + 1)
    const numbers: unknown[] = output.flat(2)
    assert.deepEqual(numbers.map((value) => Math.fround(Number(value))), [...known.subarray(0, numbers.length)], what)
  }

  const steps = async (path: string): Promise<void> => {
    const { body, headers } = await request.post(path).send({ x: [X] }).expect(200)
    check(headers['x-model-version'], body.output, path)
  }
  const clients: ReadonlyArray<() => Promise<void>> = [
    async () => {
      const { body, headers } = await request.post('/step').send({ x: [X[0]] }).expect(200)
      check(headers['x-model-version'], body.h_out, 'step')
    },
    async () => await steps('/sequence'),
    async () => await steps('/models/m/sequence'),
    async () => {
      const { text, headers } = await request.post('/sequence').set('accept', 'application/x-ndjson').send({ x: [X] }).expect(200)
      const lines = text.trimEnd().split('\n').map((line): { output?: unknown[] } => JSON.parse(line))
      check(headers['x-model-version'], lines.flatMap(({ output = [] }) => output), 'stream')
    },
    async () => {
      const { body: { session }, headers } = await request.post('/models/m/sessions').send({}).expect(201)
      const version = headers['x-model-version']
      for (const [i, x] of X.entries()) {
        const { status, body, headers } = await request.post(`/sessions/${session}/step`).send({ x })
        if (status === 410) {
          assert.match(body.detail, /model replaced/)
          ended++
          return
        }
        assert.deepEqual([status, headers['x-model-version']], [200, version])
        const known = whole.get(version) ?? assert.fail('no version')
        const width = known.length / X.length
        assert.deepEqual(body.output.map(Math.fround), [...known.subarray(i * width, (i + 1) * width)])
        answers++
      }
    },
    async () => {
      const { head, outputs, headers, status } = await inferJson(app.server, '/v2/models/m/infer', jsonInference({ x: { shape: [1, 3, 2], values: X.flat() } }))
      assert.equal(status, 200)
      assert.equal(head.model_version, headers['x-model-version'])
      check(headers['x-model-version'], outputs.output, 'infer')
    },
    async () => {
      const { body, headers } = await request.get('/models/m').expect(200)
      assert.equal(body.version, headers['x-model-version'])
      const { body: document, headers: { 'x-model-version': version } } = await request.get('/models/m/openapi.json').expect(200)
      assert.equal(document.components.schemas.StepAnswer.properties.h_out.items.maxItems, expected.get(version)?.shape.hOut)
    }
  ]
  const loops = clients.map(async (client) => { while (!traffic.over) await client() })
  const rounds = 3 * scaled(20)
  for (let i = 1; i <= rounds; i++) {
    await replaceFile(folder, 'm.safetensors', VERSIONS[i % VERSIONS.length])
    await reload()
    const [{ version }] = registry.models
    await until(() => seen.has(version), 'it answers')
  }
  traffic.over = true
  await Promise.all(loops)
  assert.equal(seen.size, VERSIONS.length, 'each version has answered')
  assert.ok(answers > 5 * rounds, `${answers} answers, ${ended} sessions ended`)
  await until(async () => await metric(/^cellserve_model_versions 1$/m), 'the old versions go')
})

test('SIGHUP reloads and never ends the process, however often it comes', async (t) => {
  const folder = await writeModels(t, { 'm.safetensors': FIRST, keys: '' })
  const keys = join(folder, 'keys')
  await writeFile(keys, 'first-key-1\nsecond-key-2\n')
  const server = run(t, '--port', '0', '--models', folder, '--api-key-file', keys)
  const url = await server.line(ADDRESS)
  const ready: { versions: Record<string, string> } = JSON.parse(await server.line(/\{.*"msg":"ready"\}/))
  assert.match(ready.versions.m, /^[\da-f]{64}$/)
  const ask = async (key: string): Promise<number> => (await fetch(`${url}/models`, { headers: { 'x-api-key': key } })).status
  assert.deepEqual([await ask('first-key-1'), await ask('second-key-2')], [200, 200])
  await writeFile(keys, 'second-key-2\n')
  await replaceFile(folder, 'm.safetensors', SECOND)
  for (let i = 0; i < 20; i++) {
    server.stop('SIGHUP')
    await setTimeout(50)
  }
  await server.line(/"msg":"model loaded"/)
  assert.deepEqual([await ask('first-key-1'), await ask('second-key-2')], [401, 200], 'a key that is taken back stops working')
  await writeFile(keys, '')
  server.stop('SIGHUP')
  await server.line(/the API keys are not reloaded: --api-key-file: .*has no key/)
  assert.deepEqual([await ask('first-key-1'), await ask('second-key-2')], [401, 200])
  server.stop()
  const { code, stdout } = await server.ended
  assert.equal(code, 0)
  assert.equal(stdout.split('"msg":"model loaded"').length, 2, 'it is loaded once')
})

test('a socket whose key is taken back is closed at its next frame', async (t) => {
  const folder = await writeModels(t, { 'm.safetensors': FIRST })
  const keys = join(folder, 'keys')
  await writeFile(keys, 'first-key-1\nsecond-key-2\n')
  const { app, reload } = await startService(t, '--models', folder, '--api-key-file', keys)
  const socket = await openSocket(t, app, '/models/m/stream', { headers: { 'x-api-key': 'first-key-1' } })
  assert.equal((await socket.ask({ x: X[0] })).t, 1)
  await writeFile(keys, 'second-key-2\n')
  await reload()
  assert.equal((await socket.ask({ x: X[0] })).status, 401)
  assert.deepEqual(await socket.closed, { code: 1008, reason: 'the API key is not valid any more' })
})

test('a handshake says which version answers', async (t) => {
  const { app, describe } = await serve(t)
  const socket = new WebSocket(`${app.listeningOrigin.replace('http', 'ws')}/models/m/stream`)
  t.after(() => socket.terminate())
  const [{ headers }]: Array<{ headers: Record<string, string> }> = await once(socket, 'upgrade')
  assert.equal(headers['x-model-version'], (await describe()).version)
})
