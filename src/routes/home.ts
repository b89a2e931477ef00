import type { FastifyPluginAsync } from 'fastify'
import Negotiator from 'negotiator'

/** `GET /`: leads a browser to the interactive reference, and tells a program where things are. */
const routes: FastifyPluginAsync<{ version: string }> = async (app, { version }) => {
  const home = { name: 'cellserve', version, reference: '/docs/', openapi: '/openapi.json', models: '/models' }

  app.get('/', { config: { open: true }, schema: { hide: true } }, async ({ raw }, reply) => {
    reply.header('vary', 'accept')
    // Relative, for a proxy that serves it under a path.
    return new Negotiator(raw).mediaType(['application/json', 'text/html']) === 'text/html' ? reply.redirect('docs/') : home
  })
}

export default routes
