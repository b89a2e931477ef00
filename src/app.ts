import Fastify, { LogController, type FastifyBaseLogger } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { Config } from './config/settings.ts'
import type { Json } from './wire/json.ts'
import type { LargeJson } from './wire/large-json.ts'
import { NO_MODEL, type Metrics } from './plugins/telemetry/metrics.ts'
import type { CountRequest } from './plugins/rate-limit.ts'
import type { Admission } from './scheduler/admission.ts'
import type { Registry } from './model/registry.ts'
import type { SessionStore } from './model/sessions/session.ts'
import answers from './plugins/response-format.ts'
import bodies from './plugins/body-parsers.ts'
import admit from './plugins/admission.ts'
import connections from './plugins/connections.ts'
import cors from './plugins/cors.ts'
import drain from './plugins/drain.ts'
import errors, { answerFrameworkError } from './plugins/errors.ts'
import headers from './plugins/security-headers.ts'
import accessLog from './plugins/telemetry/access-log.ts'
import { LazyLogger } from './plugins/telemetry/lazy-logger.ts'
import identity, { requestId } from './plugins/telemetry/request-id.ts'
import auth, { type Keyring } from './plugins/auth.ts'
import servedModel from './plugins/served-model.ts'
import limit from './plugins/rate-limit.ts'
import sockets from './plugins/sockets/sockets.ts'
import counting from './plugins/telemetry/request-metrics.ts'
import openapi from './plugins/openapi.ts'
import streams from './plugins/ndjson.ts'
import tracing from './plugins/telemetry/tracing.ts'
import { INFERENCE_PREFIX, rewriteUrl } from './plugins/urls.ts'
import validation from './plugins/validation.ts'
import docs from './routes/docs.ts'
import health from './routes/health.ts'
import home from './routes/home.ts'
import { BUILT_PAGE } from './routes/page-files.ts'
import metricsRoute from './routes/metrics.ts'
import models from './routes/models.ts'
import documents from './routes/openapi.ts'
import sequence from './routes/sequence.ts'
import sessionRoutes from './routes/sessions.ts'
import step from './routes/step.ts'
import stream, { STREAM_PATH } from './routes/stream.ts'
import type { Repository } from './routes/v2/repository.ts'
import type { Snapshot } from './routes/v2/statistics.ts'
import inference from './routes/v2/v2.ts'
import { version } from './version.ts'

export interface AppOptions {
  readonly config: Config
  readonly registry: Registry
  readonly sessions: SessionStore
  readonly admission: Admission
  readonly metrics: Metrics
  readonly json: Json
  readonly large: LargeJson
  /** Only clients that send one of these keys are served; without keys, all are. */
  readonly keyring: Keyring | undefined
  /** Loads and unloads models for clients; undefined if they may not. */
  readonly repository: Repository | undefined
  /** What all workers share; absent if this process serves alone. */
  readonly together?: Together | undefined
  /** If absent, nothing is logged. */
  readonly logger?: FastifyBaseLogger
}

/** What one of several workers shares with the others. */
export interface Together {
  readonly worker: number
  /** The metrics of all processes. */
  readonly scrape: () => Promise<string>
  readonly snapshot: () => Promise<Snapshot>
  readonly count: CountRequest
}

/** The service, ready to listen. */
export async function buildApp ({ config, registry, sessions, admission, metrics, json, large, keyring, repository, together, logger }: AppOptions) {
  const keyOf = keyring?.keyOf
  const requestTimeout = 1000 * config['body-timeout']
  const app = Fastify({
    ...(logger !== undefined && { loggerInstance: new LazyLogger(() => logger) }),
    // Two log lines per request are expensive under load, and the metrics count requests anyway.
    logController: new LogController({ disableRequestLogging: logger?.level !== 'debug' && logger?.level !== 'trace' }),
    genReqId: requestId,
    bodyLimit: config['body-limit'],
    keepAliveTimeout: 1000 * config['keep-alive-timeout'],
    requestTimeout,
    http: {
      requestTimeout,
      // The head cannot take longer than the whole request.
      headersTimeout: Math.min(1000 * config['header-timeout'], requestTimeout),
      // How often Node.js checks those two timeouts; its default is every 30 seconds.
      connectionsCheckingInterval: 1000,
      maxHeaderSize: config['max-header-bytes'],
      // The connections plugin answers with problem+json.
      requireHostHeader: false
    },
    ...(config['trust-proxy'] !== undefined && { trustProxy: config['trust-proxy'] }),
    rewriteUrl,
    // `rewriteUrl` has already diverted paths with parts that are too long.
    routerOptions: { maxParamLength: config['max-header-bytes'] },
    // The drain and connections plugins answer with problem+json.
    return503OnClosing: false,
    clientErrorHandler: () => {},
    frameworkErrors: answerFrameworkError
  }).withTypeProvider<TypeBoxTypeProvider>()

  // Hooks run in this order. Every answer has an id, its headers and a place in the metrics, even a refusal.
  await app.register(errors)
  await app.register(identity)
  await app.register(servedModel, { registry })
  if (config['access-log']) await app.register(accessLog)
  await app.register(tracing, { version, worker: together?.worker })
  await app.register(headers)
  await app.register(cors, { origins: config['cors-origin'] })
  await app.register(counting, { metrics })
  await app.register(connections, {
    maxConnections: config['max-connections'],
    readTimeout: config['request-timeout'] + 5,
    onRefused (id, status, reason) {
      metrics.answered({ route: 'none', model: NO_MODEL, status }, 0, reason)
      if (config['access-log']) app.log.info({ reqId: id, status }, 'answered')
    }
  })
  // From here on, requests are refused while the service drains, above the rate limit, without a valid key, or above the admission limits.
  await app.register(drain)
  await app.register(limit, { perSecond: config['rate-limit'], keyOf, count: together?.count })
  await app.register(auth, { keyOf })
  await app.register(admit, { reserve: admission.reserve, timeout: config['request-timeout'] })
  await app.register(bodies, { json, large })
  await app.register(validation)
  await app.register(answers, { json })
  await app.register(openapi, { version, keyed: keyOf !== undefined })
  await app.register(streams, { json })

  await app.register(step)
  await app.register(sequence)
  await app.register(sessionRoutes, { sessions })
  // The hooks of sockets do not run for other routes.
  await app.register(async (beside) => {
    await beside.register(sockets, {
      metrics,
      isValid: (key) => key === undefined || keyring?.has(key) === true,
      reserve: admission.reserve,
      path: STREAM_PATH,
      maxSockets: config['max-sockets'],
      maxBytes: config['body-limit'],
      origins: config['cors-origin'] ?? [],
      timeout: config['request-timeout'],
      idle: config['session-timeout'],
      ping: config['ping-interval'],
      log: config['access-log']
    })
    await beside.register(stream, { registry, sessions, reserve: admission.reserve, json, large })
  })
  // If the metrics have a port of their own, they are not for clients.
  const open = config['metrics-port'] === undefined
  const snapshot = together?.snapshot ?? (async () => await metrics.register.getMetricsAsJSON())
  await app.register(inference, { prefix: INFERENCE_PREFIX, registry, sessions, json, large, version, repository, snapshot: open ? snapshot : undefined })
  await app.register(models, { registry })
  await app.register(documents, { registry })
  await app.register(docs, { registry })
  await app.register(health)
  await app.register(home, { version, page: config.page ? BUILT_PAGE : undefined })
  if (open) await app.register(metricsRoute, { scrape: together?.scrape ?? metrics.scrape })
  return app
}

/** The most connections to the metrics' own port. */
const MAX_SCRAPES = 64
/** How many seconds one of them may stop reading. */
const SCRAPE_TIMEOUT = 30

/** Only `/metrics`, for its own port. */
export async function buildMetricsApp (scrape: () => Promise<string>) {
  const app = Fastify({ frameworkErrors: answerFrameworkError, clientErrorHandler: () => {} })
  await app.register(errors)
  await app.register(headers)
  await app.register(connections, { maxConnections: MAX_SCRAPES, readTimeout: SCRAPE_TIMEOUT, onRefused: () => {} })
  await app.register(metricsRoute, { scrape })
  return app
}
