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
  }
}

type Read = (body: Buffer, hold: Hold) => unknown

/** Reads bodies, JSON and safetensors. The tensors made of them are counted, and so is a body whose length was not announced. */
export default fp<{ json: Json }>(async (app, { json }) => {
  // Fastify parses text by default.
  app.removeAllContentTypeParsers()

  function parse (type: string, createReader: (fields: Fields) => Read): void {
    const readers = new WeakMap<Fields, Read>()
    app.addContentTypeParser(type, async (request: FastifyRequest) => {
      const { headers, params, call, routeOptions: { config, bodyLimit } } = request
      // Node.js discards a body that nobody reads.
      if (config.fields === undefined) return undefined
      const { 'content-encoding': encoding = 'identity' } = headers
      if (encoding.toLowerCase() !== 'identity') throw new HttpError(415, `expected a body without a content-encoding, got ${JSON.stringify(encoding)}`)
      const fields = config.fields(params)
      const reservation = call?.reservation
      const hold: Hold = (bytes) => reservation?.hold(bytes)
      const body = await readBody(request, bodyLimit, hold)
      reservation?.arrived()
      const read = readers.get(fields) ?? createReader(fields)
      readers.set(fields, read)
      return read(body, hold)
    })
  }
  parse(JSON_TYPE, (fields) => json.reader(fields))
  parse(SAFETENSORS, createBinaryReader)
}, { name: 'body-parsers', fastify: '5.x', dependencies: ['errors', 'admission'] })

/** @throws InputError if there is no room for it, or its sender goes; an error of Fastify's if it is longer than allowed. */
async function readBody ({ raw, headers }: FastifyRequest, limit: number, hold: Hold): Promise<Buffer> {
  const announced = headers['content-length']
  const most = Number(announced ?? limit)
  if (most > limit) throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE()
  return await new Promise((resolve, reject) => {
    let body: Buffer = Buffer.alloc(0)
    let length = 0

    function onData (chunk: Buffer): void {
      try {
        if (announced === undefined) hold(chunk.length)
        if (length + chunk.length > most) throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE()
      } catch (error) {
        settle()
        reject(error instanceof Error ? error : new Error(String(error)))
        return
      }
      if (length + chunk.length > body.length) body = grown(body, length, Math.min(Math.max(2 * length, length + chunk.length), most))
      length += chunk.copy(body, length)
    }
    function onEnd (): void {
      settle()
      resolve(body.subarray(0, length))
    }
    function onError (): void {
      settle()
      reject(new InputError('gone', { path: '', message: 'the body ended early' }))
    }
    function settle (): void {
      raw.off('data', onData).off('end', onEnd).off('error', onError)
    }
    raw.on('data', onData).on('end', onEnd).on('error', onError)
  })
}

/** Its first bytes, with room for more. It grows as they come: a client may announce what it never sends. */
function grown (body: Buffer, length: number, size: number): Buffer {
  const larger = Buffer.allocUnsafe(size)
  body.copy(larger, 0, 0, length)
  return larger
}
