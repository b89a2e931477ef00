import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import supertest from 'supertest'
import { buildTestApp } from '../support/app.ts'

test('the committed document is the one that the program writes', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body } = await request.get('/openapi.json').expect(200)
  const committed: unknown = JSON.parse(await readFile('openapi/openapi.json', 'utf8'))
  assert.deepEqual(body, committed, 'run npm run openapi, and commit what it writes')
})

test('every example of the document runs, and its answer is of the declared schema', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: document } = await request.get('/openapi.json').expect(200)
  const ajv = new Ajv2020({ strict: false })
  ajv.addSchema(document, 'openapi.json')
  let examples = 0
  for (const path of Object.keys(document.paths)) {
    const operation = document.paths[path].post
    if (operation === undefined) continue
    for (const { value } of Object.values<{ value: object }>(operation.requestBody.content['application/json'].examples)) {
      const { body } = await request.post(path.replace('{model}', 'custom-lstm')).send(value).expect(200)
      const pointer = `openapi.json#/paths/${path.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/post/responses/200/content/application~1json/schema`
      assert.ok(ajv.validate({ $ref: pointer }, body), `${path}: ${ajv.errorsText()}`)
      examples++
    }
  }
  assert.ok(examples >= 4, `${examples} examples`)
})

test('the document names its operations and schemas for generated clients', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  const { body: document } = await request.get('/openapi.json').expect(200)
  const operations = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap((item) => Object.values(item))
  assert.deepEqual(operations.map(({ operationId }) => operationId).sort(),
    ['getModel', 'listModels', 'live', 'metrics', 'ready', 'sequence', 'sequenceModel', 'step', 'stepModel'])
  for (const name of ['StepRequest', 'StepAnswer', 'SequenceRequest', 'SequenceAnswer', 'AttentionContext', 'ConcatContext', 'Problem']) {
    assert.ok(name in document.components.schemas, name)
  }
  assert.doesNotMatch(JSON.stringify(document), /"(tensor|documented)":/)
})

test('the interactive reference is served', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  await request.get('/docs/').expect(200).expect('content-type', /html/)
  const { body } = await request.get('/docs/json').expect(200)
  assert.equal(body.info.title, 'cellserve')
})
