import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { createBinaryReader, SAFETENSORS } from '../wire/safetensors.ts'
import type { Fields } from '../wire/tensor-paths.ts'
import { JSON_TYPE, type Json } from '../wire/json.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The places of numbers in a body, given the parameters of the path. */
    fields?: (params: unknown) => Fields | undefined
  }
}

const NONE: Fields = { tensors: [] }

/** Reads JSON and safetensors bodies, and reports a body that is neither. */
export default fp<{ json: Json }>(async (app, { json }) => {
  // Fastify parses text by default.
  app.removeAllContentTypeParsers()

  function read (type: string, createReader: (fields: Fields) => (body: Buffer) => unknown): void {
    const readers = new Map<Fields, (body: Buffer) => unknown>()
    app.addContentTypeParser<Buffer>(type, { parseAs: 'buffer' }, async ({ routeOptions, params }: FastifyRequest, body: Buffer) => {
      const fields = routeOptions.config.fields?.(params) ?? NONE
      const reader = readers.get(fields) ?? createReader(fields)
      readers.set(fields, reader)
      return reader(body)
    })
  }
  read(JSON_TYPE, ({ tensors }) => json.reader(tensors))
  read(SAFETENSORS, createBinaryReader)
}, { name: 'bodies', fastify: '5.x' })
