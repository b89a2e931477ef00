import { setTimeout } from 'node:timers/promises'
import type { Span } from '@opentelemetry/api'
import fp from 'fastify-plugin'

/** How long the export of the last traces may take, in milliseconds. */
const LAST_EXPORT = 2000

declare module 'fastify' {
  interface FastifyRequest {
    span: Span | undefined
  }
}

/**
 * Sends a span per request to an OpenTelemetry collector over OTLP, if the standard environment variables name one
 * (OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT). Otherwise its packages are not loaded.
 */
export default fp<{ version: string, worker: number | undefined }>(async (app, { version, worker }) => {
  if (!isWanted(process.env)) return
  const [{ ROOT_CONTEXT, SpanKind, SpanStatusCode }, { W3CTraceContextPropagator }, { defaultResource, detectResources, envDetector, resourceFromAttributes }, sdk, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/core'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/exporter-trace-otlp-http')
  ])
  const provider = new sdk.BasicTracerProvider({
    resource: defaultResource().merge(resourceFromAttributes({
      'service.name': 'cellserve', 'service.version': version, ...(worker !== undefined && { 'process.pid': process.pid, 'cellserve.worker': worker })
    })).merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new sdk.BatchSpanProcessor(new OTLPTraceExporter())]
  })
  const tracer = provider.getTracer('cellserve', version)
  const propagator = new W3CTraceContextPropagator()

  app.decorateRequest('span')
  app.addHook('onRequest', async (request) => {
    const { method, routeOptions: { url }, headers } = request
    const parent = propagator.extract(ROOT_CONTEXT, headers, { keys: Object.keys, get: (carrier, key) => carrier[key] })
    request.span = tracer.startSpan(url === undefined ? method : `${method} ${url}`, {
      kind: SpanKind.SERVER,
      attributes: { 'http.request.method': method, ...(url !== undefined && { 'http.route': url }), 'cellserve.request_id': request.id }
    }, parent)
  })
  app.addHook('onResponse', async ({ span, params }, { statusCode }) => {
    span?.setAttribute('http.response.status_code', statusCode)
    if (typeof params === 'object' && params !== null && 'model' in params) span?.setAttribute('cellserve.model', String(params.model))
    if (statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR })
    span?.end()
  })
  app.addHook('onClose', async () => {
    try {
      // A collector that does not answer must not keep the process from ending.
      await Promise.race([provider.shutdown(), setTimeout(LAST_EXPORT, undefined, { ref: false }).then(() => { throw new Error('the collector does not answer') })])
    } catch (error) {
      app.log.warn(error, 'the last traces could not be sent')
    }
  })
}, { name: 'tracing', fastify: '5.x' })

function isWanted (env: NodeJS.ProcessEnv): boolean {
  const { OTEL_SDK_DISABLED: disabled, OTEL_TRACES_EXPORTER: exporter = 'otlp' } = env
  return disabled !== 'true' && exporter === 'otlp' && (env.OTEL_EXPORTER_OTLP_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? '') !== ''
}
