import { createHash } from 'node:crypto'
import { errorCodes, type FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import { HttpError } from './errors.ts'
import { createBinaryReader, SAFETENSORS } from '../wire/safetensors.ts'
import type { Fields, Hold } from '../wire/tensor-paths.ts'
import { JSON_TYPE, type Json } from '../wire/json.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a body holds, given the parameters of the path. A route without it takes no body. */
    fields?: (params: unknown) => Fields
    /** Whether a request is identified by the bytes of its body. */
    digest?: boolean
  }
  interface FastifyRequest {
    /** A SHA-256 of the body, on routes that ask for it. */
    digest: string
  }
}

type Read = (body: Buffer, hold: Hold) => unknown

/** Reads bodies, JSON and safetensors. The tensors made of them are counted, and so is a body whose length was not announced. */
export default fp<{ json: Json }>(async (app, { json }) => {
  app.decorateRequest('digest', '')
  // Fastify parses text by default.
  app.removeAllContentTypeParsers()

  function parse (type: string, createReader: (fields: Fields) => Read): void {
    const readers = new WeakMap<Fields, Read>()
    app.addContentTypeParser(type, (request, _payload, done) => {
      const { params, call, routeOptions: { config } } = request
      if (config.fields === undefined) {
        // Node.js discards a body that nobody reads.
        done(null)
        return
      }
      const fields = config.fields(params)
      const read = readers.get(fields) ?? createReader(fields)
      readers.set(fields, read)
      const hold: Hold = (bytes) => call?.reservation?.hold(bytes)
      receive(request, hold, (error, body) => {
        call?.reservation?.arrived()
        let value: unknown
        try {
          value = error === null ? read(body, hold) : undefined
          if (config.digest === true) request.digest = createHash('sha256').update(body).digest('base64url')
        } catch (failure) {
          if (failure instanceof InputError && failure.kind === 'unprocessable' && fields.model !== undefined) failure.model = fields.model
          error = errorOf(failure)
        }
        done(error, value)
      })
    })
  }
  parse(JSON_TYPE, (fields) => json.reader(fields))
  parse(SAFETENSORS, createBinaryReader)
}, { name: 'body-parsers', fastify: '5.x', dependencies: ['errors', 'admission'] })

const EMPTY: Buffer = Buffer.alloc(0)

/**
 * Receives a body.
 *
 * @param done is called once: with an error if there is no room for the body, it is too long or in a coding, or its sender goes.
 */
function receive ({ raw, headers, routeOptions: { bodyLimit } }: FastifyRequest, hold: Hold, done: (error: Error | null, body: Buffer) => void): void {
  const { 'content-encoding': encoding = 'identity', 'content-length': announced } = headers
  if (encoding.toLowerCase() !== 'identity') {
    done(new HttpError(415, `expected a body without a content-encoding, got ${JSON.stringify(encoding)}`), EMPTY)
    return
  }
  const most = Number(announced ?? bodyLimit)
  if (most > bodyLimit) {
    done(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE(), EMPTY)
    return
  }
  let body = EMPTY
  let length = 0

  function onData (chunk: Buffer): void {
    try {
      if (announced === undefined) hold(chunk.length)
      if (length + chunk.length > most) throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE()
    } catch (error) {
      settle(errorOf(error))
      return
    }
    if (chunk.length === most) {
      // Most bodies are small, and come whole.
      body = chunk
      length = most
      return
    }
    if (length + chunk.length > body.length) body = grown(body, length, announced === undefined ? Math.min(Math.max(2 * length, length + chunk.length), most) : most)
    length += chunk.copy(body, length)
  }
  const onEnd = (): void => settle(null)
  const onError = (): void => settle(new InputError('gone', { path: '', message: 'the body ended early' }))
  function settle (error: Error | null): void {
    raw.off('data', onData).off('end', onEnd).off('error', onError)
    done(error, body.subarray(0, length))
  }
  raw.on('data', onData).on('end', onEnd).on('error', onError)
}

/**
 * The first bytes of a body, with room for more. That of an announced length gets its whole buffer at once: copying a large
 * body as it grows blocks the event loop for milliseconds, and the system gives memory only to the pages that are written.
 */
function grown (body: Buffer, length: number, size: number): Buffer {
  const larger = Buffer.allocUnsafe(size)
  body.copy(larger, 0, 0, length)
  return larger
}

function errorOf (error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
