import fp from 'fastify-plugin'
import { Refusal } from '../refusal.ts'

/** Once the app closes, requests in work are finished and new ones refused, but for the question whether it is alive. */
export default fp(async (app) => {
  let draining = false
  app.addHook('preClose', async () => { draining = true })
  app.addHook('onRequest', async (request, reply) => {
    if (!draining || request.routeOptions.url === '/health/live') return
    reply.header('connection', 'close')
    throw new Refusal('unavailable', { path: '', message: 'this server is shutting down; another one may answer' })
  })
}, { name: 'drain', fastify: '5.x', dependencies: ['errors'] })
