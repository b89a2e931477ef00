import type { FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import Negotiator from 'negotiator'
import { SAFETENSORS, writeBinary } from '../wire/safetensors.ts'
import { JSON_TYPE, type Json } from '../wire/json.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Media types of further forms that the answer may take. */
    forms?: readonly string[]
  }
  interface FastifyReply {
    /** The media type that the answer is to have: what the client accepts, and by default what it sent. */
    readonly form: string
    /** Sends an object of tensors, in that form. */
    answer (tensors: object): FastifyReply
  }
}

/** Answers with tensors, as JSON or safetensors. */
export default fp<{ json: Json }>(async (app, { json }) => {
  app.decorateReply('form', {
    getter () {
      const { headers, raw, routeOptions } = this.request
      const own = headers['content-type']?.startsWith(SAFETENSORS) === true ? SAFETENSORS : JSON_TYPE
      if (headers.accept === undefined || headers.accept === '*/*' || headers.accept === own) return own
      return new Negotiator(raw).mediaType([own, own === JSON_TYPE ? SAFETENSORS : JSON_TYPE, ...routeOptions.config.forms ?? []]) ?? own
    }
  })
  app.decorateReply('answer', function (this: FastifyReply, tensors: object) {
    if (this.form === SAFETENSORS) return this.header('content-type', SAFETENSORS).send(writeBinary(tensors))
    return this.header('content-type', 'application/json; charset=utf-8').send(json.write(tensors))
  })
}, { name: 'answers', fastify: '5.x' })
