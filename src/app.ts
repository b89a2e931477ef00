import Fastify, { LogController, type FastifyBaseLogger } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { Metrics } from './metrics.ts'
import type { Admission } from './model/admission.ts'
import type { Registry } from './model/registry.ts'
import answers from './plugins/answers.ts'
import callers from './plugins/callers.ts'
import drain from './plugins/drain.ts'
import errors, { answerClientError, answerFrameworkError } from './plugins/errors.ts'
import jsonBodies from './plugins/json.ts'
import metricsRoute from './plugins/metrics.ts'
import openapi from './plugins/openapi.ts'
import validation from './plugins/validation.ts'
import health from './routes/health.ts'
import models from './routes/models.ts'
import sequence from './routes/sequence.ts'
import step from './routes/step.ts'
import { version } from './version.ts'
import type { Json } from './wire/json.ts'

export interface AppOptions {
  readonly registry: Registry
  readonly admission: Admission
  readonly metrics: Metrics
  readonly json: Json
  /** Seconds in which a request is answered. */
  readonly requestTimeout: number
  /** The largest body, in bytes. */
  readonly bodyLimit: number
  /** Left out, nothing is logged. */
  readonly logger?: FastifyBaseLogger
}

/** The service, ready to listen. */
export async function buildApp ({ registry, admission, metrics, json, requestTimeout, bodyLimit, logger }: AppOptions) {
  const app = Fastify({
    ...(logger !== undefined && { loggerInstance: logger }),
    // Two lines a request are dear under load, and the metrics count them anyway.
    logController: new LogController({ disableRequestLogging: logger?.level !== 'debug' && logger?.level !== 'trace' }),
    bodyLimit,
    // A whole request in a minute: slow senders hold no socket for longer.
    requestTimeout: 60_000,
    routerOptions: { maxParamLength: 255 },
    // The drain plugin answers in our own words.
    return503OnClosing: false,
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerClientError
  }).withTypeProvider<TypeBoxTypeProvider>()

  await app.register(errors)
  await app.register(jsonBodies, { json })
  await app.register(validation)
  await app.register(answers, { json })
  await app.register(drain)
  await app.register(openapi, { version })
  await app.register(metricsRoute, { metrics, registry })
  await app.register(callers, { admission, timeout: requestTimeout })

  await app.register(step, { registry })
  await app.register(sequence, { registry })
  await app.register(models, { registry })
  await app.register(health)
  return app
}
