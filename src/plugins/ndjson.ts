import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { NDJSON, type Json } from '../wire/json.ts'
import { refuse } from './errors.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** Sends objects of tensors as they come, a line each, as fast as the client reads. */
    stream (lines: AsyncGenerator<readonly object[], void>): Promise<FastifyReply>
  }
}

/** Answers that are sent while they are computed. */
export default fp<{ json: Json }>(async (app, { json }) => {
  app.decorateReply('stream', async function (this: FastifyReply, lines: AsyncGenerator<readonly object[], void>) {
    // What fails before there is a line is answered as any other refusal.
    const first = await lines.next()
    const { request } = this
    return this.header('content-type', NDJSON).send(Readable.from(write(first, lines, request), { objectMode: false }))
  })

  async function * write (first: IteratorResult<readonly object[], void>, lines: AsyncGenerator<readonly object[], void>, request: FastifyRequest): AsyncGenerator<string, void> {
    try {
      for (let next = first; next.done !== true; next = await lines.next()) yield next.value.map((line) => `${json.write(line)}\n`).join('')
    } catch (error) {
      // The status has gone out; so the last line says what became of the rest.
      yield `${JSON.stringify({ error: refuse(error instanceof Error ? error : new Error(String(error)), request) })}\n`
    } finally {
      await lines.return()
    }
  }
}, { name: 'streams', fastify: '5.x', dependencies: ['errors', 'admission'] })
