import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'

/** Once the app closes, requests in progress finish and new ones are rejected, except the liveness probe. */
export default fp(async (app) => {
  let draining = false
  app.addHook('preClose', async () => { draining = true })
  app.addHook('onRequest', async (request) => {
    if (!draining || request.routeOptions.url === '/health/live') return
    throw new InputError('unavailable', { path: '', message: 'the server is shutting down; another replica may answer' })
  })
  // A connection that stays open after its last answer would keep the process until the grace period ends.
  app.addHook('onSend', async (_request, reply) => { if (draining) reply.header('connection', 'close') })
}, { name: 'drain', fastify: '5.x', dependencies: ['errors'] })
