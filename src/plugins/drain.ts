import { setTimeout } from 'node:timers/promises'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route is answered even while the service drains. */
    always?: boolean
  }
  interface FastifyInstance {
    /**
     * Refuses new requests from now on, except liveness probes, and closes the app some time later. Until then, probes and load
     * balancers receive a refusal instead of finding a closed port.
     *
     * @param notice how long until the app closes, in milliseconds.
     */
    drain (notice: number): Promise<void>
  }
}

/** Finishes the requests in progress and refuses new ones. */
export default fp(async (app) => {
  let draining = false
  app.decorate('drain', async (notice: number) => {
    draining = true
    await setTimeout(notice)
    await app.close()
  })
  app.addHook('preClose', async () => { draining = true })
  app.addHook('onRequest', (request, _reply, done) => {
    if (!draining || request.routeOptions.config.always === true) done()
    else done(new InputError('unavailable', { path: '', message: 'the server is shutting down; another replica may answer' }))
  })
  // A connection that stays open after its last answer would keep the process alive until the grace period ends.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (draining) reply.header('connection', 'close')
    done()
  })
}, { name: 'drain', fastify: '5.x', dependencies: ['errors'] })
