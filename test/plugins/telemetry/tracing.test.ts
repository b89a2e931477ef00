import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import supertest from 'supertest'
import { startService } from '../../support/app.ts'
import { onlyFull } from '../../support/full.ts'

interface Span {
  readonly name: string
  readonly traceId: string
  readonly parentSpanId?: string
  readonly attributes: Array<{ key: string, value: { stringValue?: string, intValue?: number } }>
}

/** An OTLP collector over HTTP, and what it has received. */
async function startCollector (t: TestContext): Promise<{ url: string, bodies: string[] }> {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      if (request.url === '/v1/traces') bodies.push(body)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close() })
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { url: `http://127.0.0.1:${address.port}`, bodies }
}

function setEnvironment (t: TestContext, values: Record<string, string>): void {
  const before = Object.fromEntries(Object.keys(values).map((name) => [name, process.env[name]]))
  Object.assign(process.env, values)
  t.after(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
}

test('the collector that the environment names gets a span per request, in the trace of their caller', async (t) => {
  const { url, bodies } = await startCollector(t)
  setEnvironment(t, { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: 'cells-of-mine' })
  const { app } = await startService({ after: () => {} })
  const request = supertest(app.server)
  await request.post('/models/custom-lstm/step').set('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01').send({ x: [1, 2] }).expect(200)
  await request.post('/step').send({ x: 'no' }).expect(400)
  await app.close()

  const sent: { resourceSpans: Array<{ resource: Pick<Span, 'attributes'>, scopeSpans: Array<{ spans: Span[] }> }> } = JSON.parse(bodies.join(''))
  const [{ resource, scopeSpans: [{ spans }] }] = sent.resourceSpans
  const valueOf = ({ attributes }: Pick<Span, 'attributes'>, name: string) => {
    const { stringValue, intValue } = attributes.find(({ key }) => key === name)?.value ?? {}
    return stringValue ?? intValue
  }
  assert.equal(valueOf(resource, 'service.name'), 'cells-of-mine')
  assert.deepEqual(spans.map(({ name }) => name), ['POST /models/:model/step', 'POST /step'])
  assert.deepEqual([spans[0].traceId, spans[0].parentSpanId], ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'])
  assert.deepEqual([valueOf(spans[0], 'http.response.status_code'), valueOf(spans[0], 'cellserve.model')], [200, 'custom-lstm'])
  assert.equal(valueOf(spans[1], 'http.response.status_code'), 400)
  assert.notEqual(spans[1].traceId, spans[0].traceId)
})

test('nothing is sent if tracing is turned off', async (t) => {
  const { url, bodies } = await startCollector(t)
  setEnvironment(t, { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SDK_DISABLED: 'true' })
  const { app } = await startService({ after: () => {} })
  await supertest(app.server).post('/step').send({ x: [1, 2] }).expect(200)
  await app.close()
  assert.deepEqual(bodies, [])
})

test('a collector that never answers delays the end by no more than two seconds', onlyFull('takes seconds'), async (t) => {
  const silent = createServer(() => {})
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.after(() => { silent.close().closeAllConnections() })
  const address = silent.address()
  assert.ok(typeof address === 'object' && address !== null)
  setEnvironment(t, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${address.port}` })
  const { app } = await startService({ after: () => {} })
  await supertest(app.server).post('/step').send({ x: [1, 2] }).expect(200)
  const start = performance.now()
  await app.close()
  assert.ok(performance.now() - start < 4000)
})

test('a collector that is not there harms nobody', async (t) => {
  setEnvironment(t, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_TIMEOUT: '500' })
  const { app } = await startService({ after: () => {} })
  await supertest(app.server).post('/step').send({ x: [1, 2] }).expect(200)
  await app.close()
})
