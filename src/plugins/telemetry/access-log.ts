import { pipeline, Readable, Transform } from 'node:stream'
import type { FastifyReply } from 'fastify'
import fp from 'fastify-plugin'

/** Logs one line per answer: who asked for what, and the bytes in both directions. */
export default fp(async (app) => {
  /** The bytes so far of answers whose length is not known in advance. */
  const streamed = new WeakMap<FastifyReply, number>()

  app.addHook('onSend', (_request, reply, payload, done) => {
    if (!(payload instanceof Readable) || reply.hasHeader('content-length')) {
      done()
      return
    }
    const counter = new Transform({
      transform (chunk: Buffer, _encoding, done) {
        streamed.set(reply, (streamed.get(reply) ?? 0) + chunk.length)
        done(null, chunk)
      }
    })
    // An error at either end ends the other; Fastify sees it at its own end.
    done(null, pipeline(payload, counter, () => {}))
  })

  app.addHook('onResponse', (request, reply, done) => {
    const { log, method, url, ip, headers } = request
    const length = headers['content-length']
    log.info({
      client: ip,
      method,
      path: url.split('?', 1)[0].slice(0, 256),
      model: request.model?.name,
      ...(request.model !== undefined && { version: request.model.version }),
      status: reply.statusCode,
      // The bytes of bodies; a chunked body does not declare them.
      ...(length !== undefined && { received: Number(length) }),
      sent: method === 'HEAD' ? 0 : streamed.get(reply) ?? Number(reply.getHeader('content-length') ?? 0),
      milliseconds: Math.round(reply.elapsedTime * 1000) / 1000
    }, 'answered')
    done()
  })
}, { name: 'access-log', fastify: '5.x', dependencies: ['served-model'] })
