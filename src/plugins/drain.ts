import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'

/** Once the app closes, requests in work are finished and new ones refused, but for the question whether it is alive. */
export default fp(async (app) => {
  let draining = false
  app.addHook('preClose', async () => { draining = true })
  app.addHook('onRequest', async (request) => {
    if (!draining || request.routeOptions.url === '/health/live') return
    throw new InputError('unavailable', { path: '', message: 'this server is shutting down; another one may answer' })
  })
  // A connection that is kept alive past its last answer would hold the process until its grace is over.
  app.addHook('onSend', async (_request, reply) => { if (draining) reply.header('connection', 'close') })
}, { name: 'drain', fastify: '5.x', dependencies: ['errors'] })
