import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import Negotiator from 'negotiator'
import { MAX_WHOLE } from '../model/limits.ts'
import { SAFETENSORS, writeBinary } from '../wire/safetensors.ts'
import { JSON_TYPE, type Json } from '../wire/json.ts'
import { tensorsOf } from '../wire/tensor-paths.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Media types of further formats that the answer may have. */
    formats?: readonly string[]
  }
  interface FastifyReply {
    /** The media type of the answer: one that the client accepts, by default the one that it sent. */
    readonly format: string
    /** Sends an object of tensors, in that format. */
    answer (tensors: object): FastifyReply
  }
}

/** Answers with tensors, as JSON or safetensors. */
export default fp<{ json: Json }>(async (app, { json }) => {
  app.decorateReply('format', {
    getter () {
      const { request } = this
      const { headers } = request
      const own = isSafetensors(headers['content-type']) ? SAFETENSORS : JSON_TYPE
      if (headers.accept === undefined || headers.accept === '*/*' || headers.accept === own) return own
      return new Negotiator(request.raw).mediaType([own, own === JSON_TYPE ? SAFETENSORS : JSON_TYPE, ...request.routeOptions.config.formats ?? []]) ?? own
    }
  })

  app.decorateReply('answer', function (this: FastifyReply, tensors: object) {
    if (this.format === SAFETENSORS) return sendParts(this.header('content-type', SAFETENSORS), writeBinary(tensors))
    return sendJson(this.header('content-type', 'application/json; charset=utf-8'), json, tensors)
  })
}, { name: 'response-format', fastify: '5.x' })

function isSafetensors (type: string | undefined): boolean {
  return type === SAFETENSORS || (type !== undefined && type !== JSON_TYPE && type.split(';', 1)[0].trim().toLowerCase() === SAFETENSORS)
}

/** Sends an object of tensors as JSON; a large one in pieces, as fast as its client reads. */
export function sendJson (reply: FastifyReply, json: Json, tensors: object): FastifyReply {
  const numbers = tensorsOf(tensors).reduce((sum, [, { size }]) => sum + size, 0)
  return reply.send(numbers <= MAX_WHOLE ? json.write(tensors) : Readable.from(inTurns(json.pieces(tensors))))
}

/** Sends bytes, one part after the other. */
export function sendParts (reply: FastifyReply, parts: readonly Uint8Array[]): FastifyReply {
  const length = parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
  if (length <= MAX_WHOLE * Float32Array.BYTES_PER_ELEMENT) return reply.send(Buffer.concat(parts, length))
  return reply.header('content-length', length).send(Readable.from(parts))
}

/** Lets other requests have a turn after each piece. */
async function * inTurns (pieces: Iterable<string>): AsyncGenerator<string, void> {
  for (const piece of pieces) {
    yield piece
    await setImmediate()
  }
}
