import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { createClient, type Problem, type SequenceLine } from '../../src/client/client.ts'
import { closeTo } from '../support/close.ts'
import { buildTestApp } from '../support/app.ts'
import { onlyFull } from '../support/full.ts'

async function served (t: TestContext): Promise<string> {
  return (await buildTestApp(t)).listeningOrigin
}

test('the committed types are those of the committed document', onlyFull('generates them'), async () => {
  await promisify(execFile)('npm', ['run', '--silent', 'client', '--', '--check'])
    .catch(({ stderr }) => assert.fail(`run npm run client, and commit what it writes: ${stderr}`))
})

test('a sequence is its steps, each fed what the last one wrote', async (t) => {
  const client = createClient({ baseUrl: await served(t) })
  const x = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4]]
  const params = { path: { model: 'custom-lstm' } }
  const { data: sequence } = await client.POST('/models/{model}/sequence', { params, body: { x: [x] } })
  const output: number[] = []
  let h = [0, 0, 0]
  let c = [0, 0, 0]
  for (const row of x) {
    const { data: step } = await client.POST('/models/{model}/step', { params, body: { x: [row], h_in: [[...h, ...h]], c_in: [c] } })
    assert.ok(step !== undefined)
    h = step.h_out.flat()
    c = step.c_out?.flat() ?? []
    output.push(...h)
  }
  assert.ok(sequence?.output !== undefined)
  closeTo(output, sequence.output.flat(2))
})

test('a sequence is streamed step by step', async (t) => {
  const client = createClient({ baseUrl: await served(t) })
  const { data: stream } = await client.POST('/sequence', {
    body: { x: [[[0.5, -0.25], [0.1, 0.2]]] }, headers: { accept: 'application/x-ndjson' }, parseAs: 'stream'
  })
  const lines: SequenceLine[] = (await new Response(stream).text()).trim().split('\n').map((line) => JSON.parse(line))
  assert.deepEqual(lines.map((line) => 't' in line ? line.t : Object.keys(line)), [0, 1, ['h_out', 'c_out', 'h_next']])
})

test('the models are listed, and one is described', async (t) => {
  const client = createClient({ baseUrl: await served(t) })
  const { data: list } = await client.GET('/models')
  assert.deepEqual(list?.models.map(({ name }) => name), ['attention-decoder', 'bidirectional-lstm', 'custom-lstm', 'gru', 'matching-networks', 'symmetric'])
  const { data: model } = await client.GET('/models/{model}', { params: { path: { model: 'custom-lstm' } } })
  assert.deepEqual(model?.sizes, { I: 2, Hi: 6, Ho: 3 })
})

test('what is refused is a problem with its errors', async (t) => {
  const client = createClient({ baseUrl: await served(t) })
  const { data, error, response } = await client.POST('/step', { body: { x: [[0.5, -0.25]], h_in: [[1, 2, 3, 4, 5]] } })
  assert.equal(data, undefined)
  assert.equal(response.status, 422)
  const problem: Problem | undefined = error
  assert.deepEqual(problem?.errors, [{ path: '/h_in', message: 'expected vectors of 6 numbers (Hi), got 5' }])
})

test('what does not compile is refused', async (t) => {
  const client = createClient({ baseUrl: await served(t) })
  // @ts-expect-error: x is a tensor
  const { error: text } = await client.POST('/step', { body: { x: 'one' } })
  assert.equal(text?.errors?.[0]?.path, '/x')
  // A network may read no x; this one does.
  const { error: empty } = await client.POST('/step', { body: {} })
  assert.deepEqual(empty?.errors, [{ path: '/x', message: 'is required' }])
  // @ts-expect-error: there is no such path
  const { response } = await client.POST('/stop', { body: { x: [1, 2] } })
  assert.equal(response.status, 404)
})

test('the API key goes with every request', async (t) => {
  const keys: Array<string | undefined> = []
  const server = createServer(({ headers }, response) => {
    keys.push(headers.authorization)
    response.setHeader('content-type', 'application/json').end('{"models": []}')
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const baseUrl = `http://127.0.0.1:${address.port}`
  await createClient({ baseUrl, apiKey: 'secret' }).GET('/models')
  await createClient({ baseUrl }).GET('/models')
  assert.deepEqual(keys, ['Bearer secret', undefined])
})

test('the client is small, and runs with only what a browser has', async (t) => {
  const { outputFiles: [bundle], metafile } = await build({
    entryPoints: ['src/client/client.ts'], bundle: true, minify: true, platform: 'browser', format: 'iife', globalName: 'cellserve', write: false, metafile: true
  })
  assert.deepEqual(Object.keys(metafile.inputs), ['node_modules/openapi-fetch/dist/index.mjs', 'src/client/client.ts'])
  assert.ok(bundle.contents.length < 10_000, `${bundle.contents.length} bytes`)
  const browser = createContext({ baseUrl: await served(t), fetch, Request, Response, Headers, URL, URLSearchParams, FormData })
  const status: unknown = await runInContext(`${bundle.text}
    cellserve.createClient({ baseUrl }).POST('/step', { body: { x: [0.5, -0.25] } }).then(({ response }) => response.status)`, browser)
  assert.equal(status, 200)
})
