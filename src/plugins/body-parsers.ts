import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import { errorOf, receive, type ReceiveOptions } from './receive.ts'
import { createBinaryReader, SAFETENSORS } from '../wire/safetensors.ts'
import type { Fields, Hold } from '../wire/tensor-paths.ts'
import { bytesBeforeTensors } from '../tensor/safetensors.ts'
import { JSON_TYPE, type Json } from '../wire/json.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the body of a request holds. A route without it takes no body. */
    fields?: (request: FastifyRequest) => Fields
    /** Whether a request keeps the bytes of its body. */
    bytes?: boolean
  }
  interface FastifyRequest {
    /** The body as it came, on routes that ask for it. */
    bytes: Buffer
  }
}

type Read = (body: Buffer, hold: Hold) => unknown

/** Reads bodies, JSON and safetensors. The tensors made of them are counted, and so is a body whose length was not announced. */
export default fp<{ json: Json }>(async (app, { json }) => {
  app.decorateRequest('bytes')
  // Fastify parses text by default.
  app.removeAllContentTypeParsers()

  function parse (type: string, createReader: (fields: Fields) => Read, options: ReceiveOptions = {}): void {
    const readers = new WeakMap<Fields, Read>()
    app.addContentTypeParser(type, (request, _payload, done) => {
      const { call, routeOptions: { config } } = request
      if (config.fields === undefined) {
        // Node.js discards a body that nobody reads.
        done(null)
        return
      }
      const fields = config.fields(request)
      const read = readers.get(fields) ?? createReader(fields)
      readers.set(fields, read)
      const hold: Hold = (bytes) => call?.reservation?.hold(bytes)
      receive(request, hold, (error, body) => {
        call?.reservation?.arrived()
        let value: unknown
        try {
          value = error === null ? read(body, hold) : undefined
          if (config.bytes === true) request.bytes = body
        } catch (failure) {
          if (failure instanceof InputError && failure.kind === 'unprocessable' && fields.model !== undefined) failure.model = fields.model
          error = errorOf(failure)
        }
        done(error, value)
      }, options)
    })
  }
  parse(JSON_TYPE, (fields) => json.reader(fields))
  parse(SAFETENSORS, createBinaryReader, { ahead: bytesBeforeTensors })
}, { name: 'body-parsers', fastify: '5.x', dependencies: ['errors', 'admission'] })
