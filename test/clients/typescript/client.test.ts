import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { Client, Problem, Tensor, Tokens, type ClientOptions, type SequenceStates, type SequenceStep } from '../../../clients/typescript/src/client.ts'
import { buildTestApp } from '../../support/app.ts'
import { closeTo } from '../../support/close.ts'
import { faultyProxy } from '../../support/faults.ts'
import { onlyFull } from '../../support/full.ts'
import { overflowingModels, spellerModels } from '../../support/models.ts'

const X = [[0.5, -0.25], [0.1, 0.2], [-0.3, 0.4]]
const FORMATS = ['safetensors', 'json'] as const

async function serve (t: TestContext, options: ClientOptions = {}, ...flags: readonly string[]): Promise<Client> {
  return new Client((await buildTestApp(t, ...flags)).listeningOrigin, options)
}

async function all<T> (items: AsyncIterable<T>): Promise<T[]> {
  const got: T[] = []
  for await (const item of items) got.push(item)
  return got
}

test('the committed types are those of the committed document', onlyFull('generates them'), async () => {
  await promisify(execFile)('npm', ['run', '--silent', 'client', '--', '--check'])
    .catch(({ stderr }) => assert.fail(`run npm run client, and commit what it writes: ${stderr}`))
})

for (const format of FORMATS) {
  test(`a sequence is its steps, each fed what the last one wrote: ${format}`, async (t) => {
    const model = (await serve(t, { format })).model('custom-lstm')
    const sequence = await model.sequence({ x: [X] })
    const output: number[] = []
    let h = [0, 0, 0]
    let c = [0, 0, 0]
    for (const x of X) {
      const step = await model.step({ x: [x], h_in: [[...h, ...h]], c_in: new Tensor(Float32Array.from(c), [1, 3]) })
      assert.deepEqual(step.h_out.shape, [1, 3])
      h = [...step.h_out.data]
      c = [...step.c_out?.data ?? []]
      output.push(...h)
    }
    assert.deepEqual(sequence.output.shape, [1, 3, 3])
    closeTo(output, [...sequence.output.data])
    assert.deepEqual(sequence.h_out.nested(), [h])
  })

  test(`a sequence is streamed step by step: ${format}`, async (t) => {
    const model = (await serve(t, { format })).model()
    const whole = await model.sequence({ x: [X], state: true })
    const lines = await all<SequenceStep | SequenceStates>(model.stream({ x: [X], state: true }))
    assert.deepEqual(lines.map(({ t }) => t), [0, 1, 2, undefined])
    const steps = lines.flatMap((line) => line.t === undefined ? [] : [...line.output?.data ?? []])
    assert.deepEqual(steps, [...whole.output.data])
    const last = lines[3]
    assert.ok(last.t === undefined)
    assert.deepEqual([last.h_out, last.c_out, last.h_next, last.state?.texts()], [whole.h_out, whole.c_out, whole.h_next, whole.state?.texts()])
  })

  test(`options, ragged rows, supports and parts: ${format}`, async (t) => {
    const client = await serve(t, { format })
    const ragged = await client.model('custom-lstm').sequence({ x: [X, X.slice(0, 1)], fields: ['output', 'h_out'] })
    assert.deepEqual(Object.keys(ragged).sort(), ['h_out', 'output'])
    assert.deepEqual(ragged.output.nested()[1].slice(1), [[0, 0, 0], [0, 0, 0]])
    const support = [[1, 0, 0, 0], [0, 0, 0, 1]]
    const matching = client.model('matching-networks')
    const request = { x: [[[1, 0, 0, 1]]], steps: 3, parts: ['read', 'attention'], return_sequences: false, context: { support: [support, support.slice(0, 1)] } }
    const two = await matching.sequence({ ...request, x: [...request.x, ...request.x] })
    assert.deepEqual([two.output.shape, two.parts?.read.shape, two.parts?.attention.shape], [[2, 1, 4], [2, 1, 4], [2, 1, 2]])
    assert.equal(two.parts?.attention.nested()[1][0][0], 1)
    const padded = await matching.sequence({
      ...request, x: [...request.x, ...request.x], context: { support: new Tensor(Float32Array.of(...support.flat(), ...support[0], 9, 9, 9, 9), [2, 2, 4]), support_lengths: [2, 1] }
    })
    assert.deepEqual(padded, two)
  })

  test(`ids, and a readout: ${format}`, async (t) => {
    const model = (await serve(t, { format }, '--models', await spellerModels(t))).model()
    const { output, y } = await model.sequence({ ids: [[1, 2, 3], [4]] })
    assert.deepEqual([output.shape, y?.shape], [[2, 3, 3], [2, 3, 4]])
    const lone = await model.sequence({ ids: [[4]], lengths: [1] })
    assert.deepEqual(lone.output.nested()[0][0], output.nested()[1][0])
    assert.deepEqual((await model.step({ ids: [4] })).h_out.nested(), [output.nested()[1][0]])
  })

  test(`a chain goes on from step to step, with its context, and from its tokens elsewhere: ${format}`, async (t) => {
    const model = (await serve(t, { format })).model('attention-decoder')
    const context = { support: [[1, 0, 0, 0, 1], [0, 1, 0, 0, 2]] }
    const x = [[[1, 2, 3], [4, 5, 6], [0.5, 0.25, 1], [3, 2, 1]], [[0, 0, 1], [1, 0, 0], [0.1, 0.2, 0.3], [0, 0, 0]]]
    const whole = await model.sequence({ x, context, h_0: [[1, 1, 1, 1], [0, 0, 0, 1]] })
    const chain = model.chain({ context, h_0: [[1, 1, 1, 1], [0, 0, 0, 1]] })
    assert.deepEqual([chain.state], [undefined])
    // Asked for at once, taken in this order.
    const [first, second] = await Promise.all([chain.step({ x: x.map((row) => row[0]) }), chain.sequence({ x: x.map((row) => row.slice(1, 2)), fields: ['output'] })])
    closeTo([...first.h_out.data], whole.output.nested().flatMap((row) => row[0]))
    closeTo([...second.output.data], whole.output.nested().flatMap((row) => row[1]))
    await assert.rejects(chain.step({ x: [[1], [2]] }), { name: 'Problem', status: 422 })
    assert.equal(chain.state?.shape[0], 2)
    const kept: string[] = JSON.parse(JSON.stringify(chain.state))
    const elsewhere = model.chain({ context, state: kept })
    const [, last] = await all(elsewhere.stream({ x: x.map((row) => row.slice(2, 3)) }))
    assert.ok(last.t === undefined)
    closeTo([...last.h_out?.data ?? []], whole.output.nested().flatMap((row) => row[2]))
    const end = await elsewhere.step({ x: x.map((row) => row[3]) })
    closeTo([...end.h_out.data], [...whole.h_out.data])
    assert.notDeepEqual(elsewhere.state, chain.state)
  })

  test(`what is refused is a problem, which names fields: ${format}`, async (t) => {
    const model = (await serve(t, { format })).model()
    const problem = await model.step({ x: [[0.5, -0.25]], h_in: [[1, 2, 3, 4, 5]] }, { headers: { 'x-request-id': 'mine' } }).catch((error: unknown) => error)
    assert.ok(problem instanceof Problem)
    const { status, title, errors, requestId, retryAfter, message, detail } = problem
    assert.deepEqual({ status, title, requestId, retryAfter, model: problem.model }, { status: 422, title: 'Unprocessable Entity', requestId: 'mine', retryAfter: undefined, model: 'custom-lstm' })
    assert.deepEqual(errors, [{ path: '/h_in', message: 'expected vectors of 6 numbers (Hi), got 5' }])
    assert.equal(message, 'model custom-lstm: /h_in: expected vectors of 6 numbers (Hi), got 5')
    assert.equal(detail, message)
    await assert.rejects(model.sequence({ x: [[[1, 2], [3]]] }), { status: 422, errors: [{ path: '/x/0/1', message: 'ragged: has 1 numbers, but the first has 2' }] })
    await assert.rejects(model.sequence({ x: [[[1, Number.NaN]]] }), { name: 'Problem' })
    await assert.rejects(all(model.stream({ x: [[[1]]] })), { status: 422 })
  })
}

test('a context that is no tensor goes as JSON, and a shape of other numbers goes nowhere', async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  const proxy = await faultyProxy(t, listeningOrigin)
  const model = new Client(proxy.url).model('custom-lstm')
  await assert.rejects(model.sequence({ x: [X], context: { words: ['a'], numbers: Float32Array.of(1), more: { shape: [1], data: Float32Array.of(2) } } }), { status: 400 })
  assert.equal(proxy.seen[0].headers['content-type'], 'application/json')
  assert.deepEqual(JSON.parse(proxy.seen[0].body).context, { words: ['a'], numbers: [1], more: [2] })
  await assert.rejects(model.sequence({ x: [X], parts: ['a,b'] }), { status: 422, message: /a,b/ })
  assert.throws(() => new Tensor(Float32Array.of(1, 2, 3), [2, 2]), /shape \[2, 2\] has 4 numbers, got 3/)
  await assert.rejects(model.sequence({ x: { shape: [1, 2, 2], data: Float32Array.of(1) } }), RangeError)
  assert.throws(() => Tokens.from(['AA', 'AAAA']), /one length/)
  assert.throws(() => Tokens.from(['!']), /not a token: "!"/)
})

test('a stream that fails after its first line throws the problem', async (t) => {
  const model = (await serve(t, {}, '--models', await overflowingModels(t))).model()
  const lines: number[] = []
  await assert.rejects(async () => {
    for await (const line of model.stream({ x: [[[0, 0], [3e38, 3e38]]] })) lines.push(line.t ?? -1)
  }, { name: 'Problem', status: 422, title: 'Unprocessable Entity', message: /overflow/ })
  assert.deepEqual(lines, [0])
})

test('the models are listed, and one is described', async (t) => {
  const client = await serve(t)
  assert.deepEqual((await client.models()).map(({ name }) => name), ['attention-decoder', 'bidirectional-lstm', 'custom-lstm', 'gru', 'matching-networks', 'symmetric'])
  assert.deepEqual((await client.model('custom-lstm').describe()).sizes, { I: 2, Hi: 6, Ho: 3 })
  assert.equal((await client.model().describe()).name, 'custom-lstm')
  await assert.rejects(client.model('no/body').describe(), { name: 'Problem', status: 404, message: /there is no model "no\/body"/ })
})

test('the API key and headers go with every request', async (t) => {
  const { listeningOrigin } = await buildTestApp(t, '--api-key', 'correct/horse=battery')
  const proxy = await faultyProxy(t, listeningOrigin)
  await new Client(`${proxy.url}/`, { apiKey: 'correct/horse=battery', headers: { traceparent: 'one' } }).model().step({ x: [[1, 2]] }, { headers: { 'x-request-timeout': '5' } })
  const { url, headers } = proxy.seen[0]
  assert.deepEqual([url, headers.authorization, headers.traceparent, headers['x-request-timeout']], ['/step', 'Bearer correct/horse=battery', 'one', '5'])
  await assert.rejects(new Client(proxy.url).models(), { status: 401 })
  assert.throws(() => new Client('no address'), TypeError)
})

test('the client has at most 10 KB, compressed, and runs with only what a browser has', async (t) => {
  const { outputFiles: [bundle], metafile } = await build({
    entryPoints: ['clients/typescript/src/client.ts'], bundle: true, minify: true, platform: 'browser', format: 'iife', globalName: 'cellserve', write: false, metafile: true
  })
  assert.ok(Object.keys(metafile.inputs).every((file) => file.startsWith('clients/typescript/src/')))
  const bytes = gzipSync(bundle.contents).length
  t.diagnostic(`${bytes} bytes, of ${bundle.contents.length}`)
  assert.ok(bytes <= 10_000, `${bytes} bytes`)
  const { listeningOrigin } = await buildTestApp(t)
  const browser = createContext({ url: listeningOrigin, fetch, URL, URLSearchParams, TextEncoder, TextDecoder, AbortController, DOMException, setTimeout, clearTimeout, btoa, atob })
  const h: unknown = await runInContext(`${bundle.text}
    new cellserve.Client(url).model().chain().step({ x: [[0.5, -0.25]] }).then(({ h_out }) => h_out.shape.join())`, browser)
  assert.equal(h, '1,3')
})
