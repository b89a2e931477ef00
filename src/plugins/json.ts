import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { readJson, type Json } from '../wire/json.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The fields of the body that are tensors, as `x` and `context/vectors`, given the parameters of the path. */
    tensors?: (params: unknown) => readonly string[]
  }
}

/** Reads JSON bodies, and says where one is not JSON. */
export default fp<{ json: Json }>(async (app, { json }) => {
  const readers = new Map<readonly string[], (body: Buffer) => unknown>()
  const readerOf = (fields: readonly string[]): (body: Buffer) => unknown => {
    const reader = readers.get(fields) ?? json.reader(fields)
    readers.set(fields, reader)
    return reader
  }
  // Fastify reads text by itself, too; here only JSON is asked for.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, async ({ routeOptions, params }: FastifyRequest, body: Buffer) => {
    const fields = routeOptions.config.tensors?.(params)
    return fields === undefined ? readJson(body) : readerOf(fields)(body)
  })
}, { name: 'json', fastify: '5.x' })
