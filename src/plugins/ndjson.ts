import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { NDJSON, type Json } from '../wire/json.ts'
import { refuse } from './errors.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** Sends objects of tensors as they arrive, one per line, as fast as the client reads. */
    stream (lines: AsyncGenerator<readonly object[], void>): Promise<FastifyReply>
  }
}

/** Short lines are joined, up to about this many characters. */
const MAX_TEXT = 2 ** 16

/** Streams answers while they are computed. */
export default fp<{ json: Json }>(async (app, { json }) => {
  app.decorateReply('stream', async function (this: FastifyReply, lines: AsyncGenerator<readonly object[], void>) {
    // Nothing reads from a closed response, so nothing else would end the lines.
    this.raw.once('close', () => { lines.return().catch(() => {}) })
    // A failure before the first line is answered like any other error.
    const first = await lines.next()
    return this.header('content-type', NDJSON).send(Readable.from(write(first, lines, this.request)))
  })

  async function * write (first: IteratorResult<readonly object[], void>, lines: AsyncGenerator<readonly object[], void>, request: FastifyRequest): AsyncGenerator<string, void> {
    try {
      for (let next = first; next.done !== true; next = await lines.next()) yield * writeLines(next.value)
    } catch (error) {
      // The status has been sent, so the last line reports the failure.
      yield `${JSON.stringify({ error: refuse(error instanceof Error ? error : new Error(String(error)), request) })}\n`
    }
  }

  async function * writeLines (lines: readonly object[]): AsyncGenerator<string, void> {
    let text = ''
    for (const line of lines) {
      for (const piece of json.pieces(line)) {
        text += piece
        if (text.length < MAX_TEXT) continue
        yield text
        text = ''
        await setImmediate()
      }
      text += '\n'
    }
    yield text
  }
}, { name: 'ndjson', fastify: '5.x', dependencies: ['errors'] })
