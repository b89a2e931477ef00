import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Negotiator from 'negotiator'
import Type from '../tensor/typebox.ts'
import { problems } from './schemas.ts'

const Home = Type.Object({
  name: Type.Literal('cellserve'),
  version: Type.String(),
  reference: Type.String({ description: 'The path of the interactive reference.' }),
  openapi: Type.String({ description: 'The path of the OpenAPI document.' }),
  models: Type.String({ description: 'The path of the list of models.' })
}, { title: 'Home', description: 'What this is, and where its parts are.' })

/** `GET /`: leads a browser to the interactive reference, and tells a program where things are. */
const routes: FastifyPluginAsyncTypebox<{ version: string }> = async (app, { version }) => {
  const home = { name: 'cellserve' as const, version, reference: '/docs/', openapi: '/openapi.json', models: '/models' }

  app.get('/', {
    config: { open: true },
    schema: {
      security: [],
      operationId: 'home',
      tags: ['operations'],
      summary: 'Where things are',
      response: {
        200: Home,
        302: { description: 'For a browser, which prefers text/html: to the interactive reference.', type: 'null' },
        ...problems(429, 503)
      }
    }
  }, async ({ raw }, reply) => {
    reply.header('vary', 'accept')
    if (new Negotiator(raw).mediaType(['application/json', 'text/html']) !== 'text/html') return home
    // Relative, for a proxy that serves it under a path.
    return reply.redirect('docs/')
  })
}

export default routes
