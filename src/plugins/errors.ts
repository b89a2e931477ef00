import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { InputError, type ErrorKind } from '../errors.ts'
import { problem, PROBLEM_JSON, type Problem } from './problem.ts'
import { problemOfUrl } from './urls.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Why the request was rejected, if it was: the kind of an `InputError`, or Fastify's error code. */
    refused: string | undefined
  }
}

/** A request that is refused at the level of HTTP itself. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly code = 'malformed'
  readonly statusCode: number

  constructor (statusCode: number, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

/** An `InputError`, an `HttpError`, a Fastify error, or any other. */
type Failure = Error & { readonly code?: string | undefined, readonly statusCode?: number | undefined }

const STATUS: Readonly<Record<ErrorKind, number>> = {
  malformed: 400,
  unknown: 404,
  conflict: 409,
  ended: 410,
  unprocessable: 422,
  failed: 500,
  unavailable: 503,
  late: 504,
  // Nobody reads this answer; the metrics and the log use nginx's number for it.
  gone: 499,
  unauthorized: 401,
  limited: 429
}

/** Answers every error, ours and Fastify's, with problem+json. */
export default fp(async (app) => {
  app.decorateRequest('refused')

  answerErrors(app, send, 'GET /docs lists all paths')
}, { name: 'errors', fastify: '5.x' })

/**
 * Answers the errors of an app, or of a part of it, in its own format.
 *
 * @param send sends a problem in that format.
 * @param paths a text that says where the existing paths are listed.
 */
export function answerErrors (app: FastifyInstance, send: (reply: FastifyReply, problem: Problem) => FastifyReply, paths: string): void {
  app.setErrorHandler((error: Failure, request, reply) => {
    // Fastify checks the body before it reports that the route does not exist.
    if (request.is404 && error.code?.startsWith('FST_ERR_') === true) return nowhere(request, reply)
    // Fastify closes the connection if a parser fails, because more of the body may arrive. Our parsers mostly fail once all of it has.
    if (error instanceof InputError && (request.raw.complete || request.raw.readableEnded)) reply.removeHeader('connection')
    return send(reply, refuse(error, request))
  })

  app.setNotFoundHandler(nowhere)

  function nowhere (request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const wrong = problemOfUrl(request.originalUrl)
    if (wrong !== undefined) return send(reply, wrong)
    const path = request.url.split('?', 1)[0]
    // OPTIONS is not one of our routes: CORS adds one for all paths, for preflights.
    const allowed = app.supportedMethods.filter((method) => method !== 'OPTIONS' && app.findRoute({ method, url: path }) !== null)
    if (allowed.length === 0) return send(reply, problem(404, `there is no ${path}; ${paths}`))
    reply.header('allow', allowed.join(', '))
    const preflight = request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined
    return send(reply, problem(405, `${path} accepts ${allowed.join(', ')}, not ${request.method}${preflight ? '; pages of other origins may call if --cors-origin names them' : ''}`))
  }
}

/** The problem for a request that failed with this error. Counts and logs it. */
export function refuse (error: Failure, request: FastifyRequest): Problem {
  request.refused = error instanceof InputError ? error.kind : error.code ?? 'error'
  const problem = problemOf(error, request)
  // The operator must look into a 500; an overload shows in the metrics.
  if (problem.status === 500) request.log.error(error)
  else request.log.debug({ problem }, 'refused')
  return problem
}

function send (reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.status === 503) reply.header('retry-after', '1')
  return reply.code(problem.status).header('content-type', PROBLEM_JSON).send(problem)
}

/** Answers requests that Fastify rejects before it finds a route. */
export function answerFrameworkError (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  send(reply, problemOf(error, request))
}

function problemOf (error: Failure, request: FastifyRequest): Problem {
  if (error instanceof InputError) {
    const { kind, model, errors, message } = error
    return {
      ...problem(STATUS[kind], model === undefined ? message : `model ${model}: ${message}`),
      ...(model !== undefined && { model }),
      ...(errors.some(({ path }) => path !== '') && { errors })
    }
  }
  const status = error.statusCode ?? 500
  if (status >= 500 && !(error instanceof HttpError)) return problem(status, 'internal error; see the log of the service')
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return problem(status, `the body is larger than the ${request.routeOptions.bodyLimit} bytes allowed`)
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problem(status, `expected application/json or application/vnd.safetensors, got ${request.headers['content-type'] ?? 'no content type'}`)
    default:
      return problem(status, error.message)
  }
}
