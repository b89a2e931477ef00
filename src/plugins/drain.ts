import { setTimeout } from 'node:timers/promises'
import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route is answered while the service drains, too. */
    always?: boolean
  }
  interface FastifyInstance {
    /**
     * Refuses new requests from now on, except for the question whether the process is alive, and closes the app some time later:
     * until then probes and load balancers hear that it goes, instead of meeting a closed port.
     *
     * @param notice for how long, in milliseconds.
     */
    drain (notice: number): Promise<void>
  }
}

/** Finishes the requests in work and refuses new ones. */
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
  // A connection that stays open after its last answer would keep the process until the grace period ends.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (draining) reply.header('connection', 'close')
    done()
  })
}, { name: 'drain', fastify: '5.x', dependencies: ['errors'] })
