import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { STATUS_CODES } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import supertest from 'supertest'
import { toOpenapi30 } from '../../scripts/openapi-3.0.ts'
import { buildTestApp } from '../support/app.ts'
import { onlyFull, some } from '../support/full.ts'
import { writeModels } from '../support/models.ts'
import { customLstm, writeSafetensors } from '../support/safetensors.ts'

test('the committed document is the one that the program writes', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.get('/openapi.json').expect(200)
  const committed: unknown = JSON.parse(await readFile('openapi/openapi.json', 'utf8'))
  assert.deepEqual(body, committed, 'run npm run openapi, and commit what it writes')
})

test('the committed OpenAPI 3.0 document is made from it, and valid', onlyFull('lints it'), async () => {
  const document: unknown = JSON.parse(await readFile('openapi/openapi.json', 'utf8'))
  const committed: unknown = JSON.parse(await readFile('openapi/openapi-3.0.json', 'utf8'))
  assert.deepEqual(toOpenapi30(Object(document)), committed, 'run npm run openapi, and commit what it writes')
  await lint('openapi/openapi-3.0.json')
})

/** Fails if an example of the service's document is not answered as the document says. @returns how many there are. */
async function runExamples (request: ReturnType<typeof supertest>, at = '/openapi.json'): Promise<number> {
  const { body: document } = await request.get(at).expect(200)
  const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true, float: true } })
  ajv.addSchema(document, 'openapi.json')
  let examples = 0
  for (const path of Object.keys(document.paths)) {
    const { post: operation } = document.paths[path]
    if (operation === undefined) continue
    const model = operation.parameters?.find(({ name }: { name: string }) => name === 'model')?.example
    const [success] = Object.keys(operation.responses)
    const pointer = `openapi.json#/paths/${path.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/post/responses/${success}/content/application~1json/schema`
    const { examples: bodies = {} } = operation.requestBody.content['application/json']
    for (const { summary, value } of Object.values<{ summary: string, value: object }>(bodies)) {
      const session = path.includes('{session}') ? await beginSession(request, document) : ''
      const { status, body, text } = await request.post(path.replace('{model}', model).replace('{session}', session)).send(value)
      assert.equal(status, Number(success), `${path}, ${summary}: ${text}`)
      assert.ok(ajv.validate({ $ref: pointer }, body), `${path}: ${ajv.errorsText()}`)
      examples++
    }
    const { example } = operation.responses[success].content['application/json']
    if (example !== undefined) assert.ok(ajv.validate({ $ref: pointer }, example), `${path}: ${ajv.errorsText()}`)
  }
  return examples
}

/** A session that the document's own example begins. */
async function beginSession (request: ReturnType<typeof supertest>, { paths }: { paths: Record<string, { post?: { parameters?: Array<{ name: string, example: string }>, requestBody: { content: { 'application/json': { examples: Record<string, { value: object }> } } } } }> }): Promise<string> {
  const [path, { post }] = Object.entries(paths).find(([path]) => /^\/models\/[^/]+\/sessions$/.test(path)) ?? assert.fail('no path begins a session')
  const model = post?.parameters?.find(({ name }) => name === 'model')?.example ?? ''
  const [{ value }] = Object.values(post?.requestBody.content['application/json'].examples ?? {})
  const { body } = await request.post(path.replace('{model}', model)).send(value).expect(201)
  return body.session
}

test('every example of the document runs, and its answer is of the declared schema', async (t) => {
  assert.equal(await runExamples(supertest((await buildTestApp(t)).server)), 13)
})

for (const [name, config, cell, count] of some([
  ['none', { feedback: { policy: 'none' } }, customLstm(10, 24, 8), 6],
  ['identity', {}, customLstm(1, 5, 5), 13],
  ['repeat', { feedback: { policy: 'repeat' } }, customLstm(7, 24, 8), 13],
  ['concat', { feedback: { policy: 'concat' } }, customLstm(3, 11, 8), 13],
  ['attention', { feedback: { policy: 'attention', residual: true } }, customLstm(4, 8, 4), 13],
  ['a module without a context', { feedback: { policy: 'module' } }, customLstm(2, 3, 1), 13],
  ['a module that gives an example of its context', { feedback: { policy: 'module' } }, customLstm(2, 3, 1), 13],
  ['a module that gives none', { feedback: { policy: 'module' } }, customLstm(2, 3, 1), 4]
] as const, 1)) {
  test(`the examples are of the model that is served: ${name}`, async (t) => {
    const context = name.endsWith('none') ? '{ required: ["gain"] }' : name.endsWith('context') && name.includes('gives') ? '{ required: ["gain"], examples: [{ gain: 2 }] }' : '{}'
    const models = await writeModels(t, {
      'mine/model.safetensors': writeSafetensors(cell),
      'mine/config.json': JSON.stringify(config),
      'mine/feedback.mjs': `export const context = ${context}\nexport const feedback = ({ h }) => [h[0], 1, 1]`
    })
    assert.equal(await runExamples(supertest((await buildTestApp(t, '--models', models)).server)), count)
  })
}

test('where no model is the default, only the operations that name one have examples', async (t) => {
  const models = await writeModels(t, { 'a.safetensors': writeSafetensors(customLstm(2, 3, 3)), 'b.safetensors': writeSafetensors(customLstm(4, 3, 3)) })
  assert.equal(await runExamples(supertest((await buildTestApp(t, '--models', models)).server)), 8)
})

test('every problem has an example, of its own status', async (t) => {
  const { body: document } = await supertest((await buildTestApp(t)).server).get('/openapi.json').expect(200)
  const ajv = new Ajv2020({ strict: false })
  ajv.addSchema(document, 'openapi.json')
  const seen = new Set<string>()
  for (const operation of Object.values<Record<string, { responses: object }>>(document.paths).flatMap((item) => Object.values(item))) {
    for (const [status, { content }] of Object.entries(operation.responses)) {
      if (Number(status) < 400) continue
      const { example } = content['application/problem+json']
      assert.deepEqual([example.status, example.title], [Number(status), STATUS_CODES[status]])
      assert.ok(ajv.validate({ $ref: 'openapi.json#/components/schemas/Problem' }, example), ajv.errorsText())
      assert.ok(example.errors === undefined || example.detail.includes(`${example.errors[0].path}: ${example.errors[0].message}`))
      seen.add(status)
    }
  }
  assert.equal(seen.size, 14)
})

test('it asks for a key where the service does', async (t) => {
  const { body: open } = await supertest((await buildTestApp(t)).server).get('/openapi.json').expect(200)
  assert.deepEqual([open.security, open.components.securitySchemes], [undefined, undefined])
  const { body: keyed } = await supertest((await buildTestApp(t, '--api-key', 'correct-horse')).server).get('/openapi.json').expect(200)
  assert.deepEqual(keyed.security, [{ bearer: [] }, { apiKey: [] }])
  assert.deepEqual(Object.keys(keyed.components.securitySchemes), ['bearer', 'apiKey'])
  assert.ok('Problem' in keyed.components.schemas)
  assert.deepEqual(keyed.paths['/health/live'].get.security, [])
})

test('the document names its operations and schemas for generated clients', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: document } = await request.get('/openapi.json').expect(200)
  const operations = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap((item) => Object.values(item))
  assert.deepEqual(operations.map(({ operationId }) => operationId).sort(),
    ['createSession', 'deleteSession', 'getModel', 'getModelOpenapi', 'getSession', 'home', 'listModels', 'listSessions', 'live', 'metrics', 'ready', 'sequence', 'sequenceModel', 'sequenceSession', 'step', 'stepModel', 'stepSession', 'streamModel'])
  for (const name of ['StepRequest', 'StepAnswer', 'SequenceRequest', 'SequenceAnswer', 'Context', 'Problem']) {
    assert.ok(name in document.components.schemas, name)
  }
  assert.doesNotMatch(JSON.stringify(document), /"(tensor|documented)":/)
})

test('a field of a request has one type, so that generated clients in static languages compile and can send it', async (t) => {
  const { body: { components: { schemas } } } = await supertest((await buildTestApp(t)).server).get('/openapi.json').expect(200)
  const requests = Object.keys(schemas).filter((name) => name.endsWith('Request'))
  assert.deepEqual(requests.sort(), ['SequenceRequest', 'SessionRequest', 'SessionSequenceRequest', 'SessionStepRequest', 'StepRequest'])
  for (const name of [...requests, 'Context']) {
    const text = JSON.stringify(schemas[name])
    assert.doesNotMatch(text, /"(anyOf|oneOf|additionalProperties)":(?!false)/, name)
    assert.doesNotMatch(text, /"type":\[/, name)
    // Java of a list of an enum that has no name does not compile.
    assert.doesNotMatch(text, /"enum":/, name)
  }
  assert.equal(schemas.Context.required, undefined, 'a client sends what the model needs alone')
})

test('the interactive reference is served', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  await request.get('/docs/').expect(200).expect('content-type', /html/)
  const { body } = await request.get('/docs/json').expect(200)
  assert.equal(body.info.title, 'cellserve')
})

const MODELS = { 'attention-decoder': 8, 'bidirectional-lstm': 3, 'custom-lstm': 8, gru: 8, 'matching-networks': 8, symmetric: 8 } as const

for (const [name, count] of some(Object.entries(MODELS))) {
  test(`every example in the document of ${name} runs`, async (t) => {
    const request = supertest((await buildTestApp(t)).server)
    assert.equal(await runExamples(request, `/models/${name}/openapi.json`), count)
  })
}

test('the documents of the models are valid, as openapi:lint judges', onlyFull('lints six documents'), async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const files: Record<string, string> = {}
  for (const name of Object.keys(MODELS)) files[`${name}.json`] = (await request.get(`/models/${name}/openapi.json`).expect(200)).text
  const folder = await writeModels(t, files)
  await lint(...Object.keys(files).map((file) => join(folder, file)))
})

/** Fails if the linter finds an error or a warning in a document. */
async function lint (...files: readonly string[]): Promise<void> {
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  const printed = await new Promise<string>((resolve) => {
    execFile('node_modules/.bin/redocly', ['lint', '--config', 'redocly.yaml', ...files], { env }, (_error, stdout, stderr) => resolve(stdout + stderr))
  })
  assert.match(printed, /(description is|descriptions are) valid/, printed)
  assert.doesNotMatch(printed, /You have \d+ warning/, printed)
}

test('the document of a model has its own sizes and context', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: { paths, components: { schemas } } } = await request.get('/models/attention-decoder/openapi.json').expect(200)
  assert.deepEqual(Object.keys(paths), [
    ...['/step', '/sequence', '', '/openapi.json', '/sessions', '/stream'].map((end) => `/models/attention-decoder${end}`), '/sessions/{session}', '/sessions/{session}/step', '/sessions/{session}/sequence'
  ])
  const numbers = (width: number): object => ({ type: 'array', items: { type: 'number', format: 'float' }, minItems: width, maxItems: width })
  const { x, h_in: h, context, parts } = schemas.SequenceRequest.properties
  assert.deepEqual([schemas.StepRequest.properties.x.items, x.items.items, h.items], [numbers(8), numbers(3), numbers(4)])
  assert.deepEqual(context.properties.support.items.items, numbers(5))
  assert.deepEqual(schemas.SequenceRequest.required, ['x', 'context'])
  assert.deepEqual(parts.items.enum, ['read', 'attention', 'h', 'c', 'gates'])
  assert.deepEqual(schemas.SequenceAnswer.properties.parts.properties.read.items.items, numbers(5))
  assert.deepEqual(schemas.SequenceAnswer.properties.parts.properties.gates.items.items, numbers(16))
  // A session has one row.
  const { SessionRequest: begin, SessionStepRequest: one, SessionSequenceRequest: many, SessionStepAnswer: answer } = schemas
  assert.deepEqual([begin.properties.h_in.maxItems, begin.properties.context.properties.support.items, one.properties.x.maxItems, many.properties.x.items, answer.properties.output.maxItems], [4, numbers(5), 3, numbers(3), 4])
  assert.deepEqual([begin.required, one.required, many.required, 'ids' in one.properties], [['context'], ['x'], ['x'], false])
})

test('the document of a model leaves out what the model does not have', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: both } = await request.get('/models/bidirectional-lstm/openapi.json').expect(200)
  assert.deepEqual([Object.keys(both.paths).length, 'StepRequest' in both.components.schemas], [3, false])
  const { body: gru } = await request.get('/models/gru/openapi.json').expect(200)
  const { SequenceRequest: asked, SequenceAnswer: answered } = gru.components.schemas
  assert.deepEqual(['c_in' in asked.properties, asked.properties.parts.items.enum, Object.keys(answered.properties.parts.properties)], [false, ['h', 'gates'], ['h', 'gates']])
})

test('the document of a model is read without a key, and that of none is a 404', async (t) => {
  const request = supertest((await buildTestApp(t, '--api-key', 'correct-horse')).server)
  await request.get('/models/gru/openapi.json').expect(200)
  await request.get('/models/nobody/openapi.json').expect(404).expect('content-type', /^application\/problem\+json/)
})
