import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import type { Model } from '../model/model.ts'
import type { Registry } from '../model/registry.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether a model answers the route: the one that the path names, or else the default one. */
    model?: boolean
  }
  interface FastifyRequest {
    /** The model version that answers; undefined if there is none, or it is not known yet. */
    model: Model | undefined
    /** The same on routes of a model. @throws InputError if no model has that name. */
    served (): Model
  }
  interface FastifyReply {
    /**
     * Reports which version of a model answers, and keeps it in memory until the response has closed.
     *
     * @throws InputError if the version has been closed or the client has disconnected in the meantime.
     */
    by (model: Model): FastifyReply
  }
}

/** The version of the model that answers: a hash of its files. */
export const VERSION_HEADER = 'x-model-version'

/** Finds the model of a request once: one version answers the request, even if another replaces it in the meantime. */
export default fp<{ registry: Registry }>(async (app, { registry }) => {
  app.decorateRequest('model')
  app.decorateRequest('served', function (this: FastifyRequest) {
    if (this.model === undefined) throw registry.missing(nameOf(this))
    return this.model
  })
  app.decorateReply('by', function (this: FastifyReply, model: Model) {
    const { request } = this
    if (request.model !== model) {
      // The answer to an upgrade closes with its socket.
      const answer = request.ws ? request.raw.socket : this.raw
      if (answer.destroyed) throw new InputError('gone', { path: '', message: 'the client has disconnected' })
      answer.on('close', registry.hold(model))
      request.model = model
    }
    return this.header(VERSION_HEADER, model.version)
  })
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.model === true) {
      const model = registry.find(nameOf(request))
      if (model !== undefined) reply.by(model)
    }
    done()
  })
}, { name: 'served-model', fastify: '5.x', dependencies: ['errors'] })

function nameOf ({ params }: FastifyRequest): string | undefined {
  const { model }: { readonly model?: unknown } = Object(params)
  return typeof model === 'string' ? model : undefined
}
