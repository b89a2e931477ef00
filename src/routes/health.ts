import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from '../tensor/typebox.ts'
import { problems } from './schemas.ts'

const Health = Type.Object({ status: Type.Literal('ok') }, { title: 'Health', description: 'The service is healthy.' })

/** `GET /health/live`: the process answers. `GET /health/ready`: it accepts requests; while it drains, the drain plugin rejects this one. */
const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/health/live', {
    config: { open: true, unlimited: true, always: true },
    schema: { security: [], operationId: 'live', tags: ['operations'], summary: 'Is the process alive?', response: { 200: Health } }
  }, async () => ({ status: 'ok' as const }))

  app.get('/health/ready', {
    config: { open: true, unlimited: true },
    schema: { security: [], operationId: 'ready', tags: ['operations'], summary: 'Does the service accept requests?', response: { 200: Health, ...problems(503) } }
  }, async () => ({ status: 'ok' as const }))
}

export default routes
