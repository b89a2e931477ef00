import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import { errorOf, receive, type ReceiveOptions } from './receive.ts'
import { createBinaryReader, SAFETENSORS } from '../wire/safetensors.ts'
import type { Fields, Hold } from '../wire/tensor-paths.ts'
import { bytesBeforeTensors } from '../tensor/safetensors.ts'
import { JSON_TYPE, type Json } from '../wire/json.ts'
import { LARGE, type LargeJson } from '../wire/large-json.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The fields that the body of a request can contain. A route without them reads no body. */
    fields?: (request: FastifyRequest) => Fields
    /** Whether a request keeps the bytes of its body. */
    bytes?: boolean
  }
  interface FastifyRequest {
    /** The raw body, on routes that ask for it. */
    bytes: Buffer
  }
}

type Read = (body: Buffer, hold: Hold) => unknown

interface ParseOptions extends ReceiveOptions {
  /** Reads bodies of at least `LARGE` bytes, off the event loop. */
  readonly large?: LargeJson
}

/** Reads JSON and safetensors bodies. Counts the bytes of the tensors built from them, and of bodies of unannounced length. */
export default fp<{ json: Json, large: LargeJson }>(async (app, { json, large }) => {
  app.decorateRequest('bytes')
  // Fastify parses text by default.
  app.removeAllContentTypeParsers()

  function parse (type: string, createReader: (fields: Fields) => Read, { large, ...options }: ParseOptions = {}): void {
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
        if (error === null && large !== undefined && body.length >= LARGE) {
          const reading = large.read(body, fields, hold)
          // The thread uses the body even if the client disconnects in the meantime.
          call?.reservation?.keepFor(reading)
          reading.then(({ value, body: bytes }) => {
            if (config.bytes === true) request.bytes = bytes
            done(null, value)
          }, (failure: unknown) => { done(refusal(failure, fields)) })
          return
        }
        let value: unknown
        try {
          value = error === null ? read(body, hold) : undefined
          if (config.bytes === true) request.bytes = body
        } catch (failure) {
          error = refusal(failure, fields)
        }
        done(error, value)
      }, options)
    })
  }
  parse(JSON_TYPE, (fields) => json.reader(fields), { large })
  parse(SAFETENSORS, createBinaryReader, { ahead: bytesBeforeTensors })
}, { name: 'body-parsers', fastify: '5.x', dependencies: ['errors', 'admission'] })

/** The error that rejects a body. It names the model if the body is wrong for that model. */
function refusal (failure: unknown, { model }: Fields): Error {
  if (failure instanceof InputError && failure.kind === 'unprocessable' && model !== undefined) failure.model = model
  return errorOf(failure)
}
