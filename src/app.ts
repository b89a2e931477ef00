import Fastify, { LogController, type FastifyBaseLogger } from 'fastify'
import cors from '@fastify/cors'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { Config } from './config/settings.ts'
import type { Json } from './wire/json.ts'
import type { Metrics } from './plugins/telemetry/metrics.ts'
import type { Admission } from './scheduler/admission.ts'
import type { Registry } from './model/registry.ts'
import answers from './plugins/response-format.ts'
import bodies from './plugins/body-parsers.ts'
import admit from './plugins/admission.ts'
import connections from './plugins/connections.ts'
import drain from './plugins/drain.ts'
import errors, { answerFrameworkError } from './plugins/errors.ts'
import headers from './plugins/security-headers.ts'
import identity, { requestId, requestLogger } from './plugins/telemetry/request-id.ts'
import keyring from './plugins/auth.ts'
import limit from './plugins/rate-limit.ts'
import counting from './plugins/telemetry/request-metrics.ts'
import openapi from './plugins/openapi.ts'
import streams from './plugins/ndjson.ts'
import tracing from './plugins/telemetry/tracing.ts'
import { rewriteUrl } from './plugins/urls.ts'
import validation from './plugins/validation.ts'
import health from './routes/health.ts'
import metricsRoute from './routes/metrics.ts'
import models from './routes/models.ts'
import sequence from './routes/sequence.ts'
import step from './routes/step.ts'
import { version } from './version.ts'

export interface AppOptions {
  readonly config: Config
  readonly registry: Registry
  readonly admission: Admission
  readonly metrics: Metrics
  readonly json: Json
  /** Those who send one of these are served; all where there are none. */
  readonly keys: readonly string[]
  /** Left out, nothing is logged. */
  readonly logger?: FastifyBaseLogger
}

/** The service, ready to listen. */
export async function buildApp ({ config, registry, admission, metrics, json, keys, logger }: AppOptions) {
  const requestTimeout = 1000 * config['body-timeout']
  const app = Fastify({
    ...(logger !== undefined && { loggerInstance: logger }),
    // Two lines a request are dear under load, and the metrics count them anyway.
    logController: new LogController({ disableRequestLogging: logger?.level !== 'debug' && logger?.level !== 'trace' }),
    childLoggerFactory: requestLogger,
    genReqId: requestId,
    bodyLimit: config['body-limit'],
    keepAliveTimeout: 1000 * config['keep-alive-timeout'],
    requestTimeout,
    http: {
      requestTimeout,
      // A part takes no longer than the whole.
      headersTimeout: Math.min(1000 * config['header-timeout'], requestTimeout),
      // How often those two are looked at; by default twice a minute.
      connectionsCheckingInterval: 1000,
      maxHeaderSize: config['max-header-bytes'],
      // The connections plugin says it in words.
      requireHostHeader: false
    },
    ...(config['trust-proxy'] !== undefined && { trustProxy: config['trust-proxy'] }),
    rewriteUrl,
    // What is too long has been led elsewhere.
    routerOptions: { maxParamLength: config['max-header-bytes'] },
    // The drain plugin answers in our own words, and so does the connections plugin.
    return503OnClosing: false,
    clientErrorHandler: () => {},
    frameworkErrors: answerFrameworkError
  }).withTypeProvider<TypeBoxTypeProvider>()

  // Hooks run in this order. Every answer has an id, its headers and a place in the metrics, whoever refuses it.
  await app.register(errors)
  await app.register(identity, { accessLog: config['access-log'] })
  await app.register(tracing, { version })
  await app.register(headers)
  if (config['cors-origin'] !== undefined) await app.register(cors, { origin: config['cors-origin'], methods: ['GET', 'POST'] })
  await app.register(counting, { metrics, registry })
  await app.register(connections, {
    maxConnections: config['max-connections'],
    readTimeout: config['request-timeout'] + 5,
    onRefused (id, status, reason) {
      metrics.answered({ route: 'none', model: 'none', status }, 0, reason)
      if (config['access-log']) app.log.info({ reqId: id, status }, 'answered')
    }
  })
  // Then nobody is served while it drains, no one without a key, no one too often, and nothing for which there is no room.
  await app.register(drain)
  await app.register(keyring, { keys })
  await app.register(limit, { perSecond: config['rate-limit'], byKey: keys.length > 0 })
  await app.register(admit, { admission, timeout: config['request-timeout'] })
  await app.register(bodies, { json })
  await app.register(validation)
  await app.register(answers, { json })
  await app.register(openapi, { version })
  await app.register(streams, { json })

  await app.register(step, { registry })
  await app.register(sequence, { registry })
  await app.register(models, { registry })
  await app.register(health)
  if (config['metrics-port'] === undefined) await app.register(metricsRoute, { metrics })
  return app
}

/** The most connections to a port of the metrics' own. */
const MAX_SCRAPES = 64
/** Seconds for which one of them may not read on. */
const SCRAPE_TIMEOUT = 30

/** `/metrics` alone, for a port of its own. */
export async function buildMetricsApp (metrics: Metrics) {
  const app = Fastify({ frameworkErrors: answerFrameworkError, clientErrorHandler: () => {} })
  await app.register(errors)
  await app.register(headers)
  await app.register(connections, { maxConnections: MAX_SCRAPES, readTimeout: SCRAPE_TIMEOUT, onRefused: () => {} })
  await app.register(metricsRoute, { metrics })
  return app
}
