import fp from 'fastify-plugin'
import { HttpError } from './errors.ts'
import { VERSION_HEADER } from './served-model.ts'

/** How long a browser may cache the answer to a preflight, in seconds: Chromium's maximum. */
const MAX_AGE = 7200

/** Lets pages from these origins call the service. */
export default fp<{ origins: readonly string[] | undefined }>(async (app, { origins }) => {
  if (origins === undefined) return
  // Loaded only if it is needed: most of the startup time is loading.
  const { default: cors } = await import('@fastify/cors')
  // @fastify/cors would answer these in plain text.
  app.addHook('onRequest', ({ method, headers: { origin, 'access-control-request-method': asked } }, _reply, done) => {
    if (method !== 'OPTIONS' || (origin !== undefined && asked !== undefined)) done()
    else done(new HttpError(400, 'OPTIONS is for preflights, which have the headers origin and access-control-request-method'))
  })
  await app.register(cors, {
    origin: [...origins],
    methods: ['GET', 'POST', 'DELETE'],
    // What a page needs in addition to the body: which request it was, which version answered, and when to try again.
    exposedHeaders: ['x-request-id', 'retry-after', 'location', 'session-expires', 'inference-header-content-length', VERSION_HEADER],
    maxAge: MAX_AGE
  })
}, { name: 'cors', fastify: '5.x', dependencies: ['errors'] })
