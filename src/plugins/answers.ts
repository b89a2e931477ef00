import type { FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import type { Json } from '../wire/json.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** Sends an object of tensors. */
    answer (tensors: object): FastifyReply
  }
}

/** Writes answers of tensors. */
export default fp<{ json: Json }>(async (app, { json }) => {
  app.decorateReply('answer', function (this: FastifyReply, tensors: object) {
    return this.type('application/json; charset=utf-8').send(json.write(tensors))
  })
}, { name: 'answers', fastify: '5.x' })
