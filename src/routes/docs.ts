import Fastify, { type FastifyInstance } from 'fastify'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Registry } from '../model/registry.ts'
import errors, { answerFrameworkError } from '../plugins/errors.ts'
import { addExamples } from '../plugins/openapi-examples.ts'

/**
 * `GET /docs`: the interactive reference. It needs no key: a browser has none to send before the page asks for it. It is an app of its
 * own, which is loaded when the reference is first opened, since loading its packages takes a fifth of the startup time.
 */
const routes: FastifyPluginAsyncTypebox<{ registry: Registry }> = async (app, { registry }) => {
  let reference: Promise<FastifyInstance> | undefined
  app.addHook('onClose', async () => { await (await reference?.catch(() => {}))?.close() })

  for (const url of ['/docs', '/docs/', '/docs/json', '/docs/yaml', '/docs/static/*']) {
    app.get(url, { config: { open: true }, schema: { hide: true } }, async (request, reply) => {
      reference ??= load(app, registry)
      const { routing }: FastifyInstance = await reference
      for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value)
      reply.hijack()
      routing(request.raw, reply.raw)
      return reply
    })
  }
}

export default routes

async function load (app: FastifyInstance, registry: Registry): Promise<FastifyInstance> {
  const [{ default: swagger }, { default: swaggerUi }, document] = await Promise.all([import('@fastify/swagger'), import('@fastify/swagger-ui'), app.openapi()])
  const reference = Fastify({ frameworkErrors: answerFrameworkError })
  await reference.register(errors)
  await reference.register(swagger, { openapi: {}, transformObject: () => document })
  await reference.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: CSP,
    theme: { title: 'cellserve: API reference', favicon: [{ filename: 'icon.svg', rel: 'icon', type: 'image/svg+xml', sizes: 'any', content: ICON }] },
    // Without the bar that asks for the address of a document.
    uiConfig: { layout: 'BaseLayout', tryItOutEnabled: true, displayRequestDuration: true, defaultModelsExpandDepth: 0 },
    transformSpecification: (document) => addExamples(document, registry)
  })
  await reference.ready()
  return reference
}

/** What the page may load and do: only its own content, over HTTP as well as HTTPS. Swagger UI sets inline styles on elements. */
const CSP = "default-src 'none'; base-uri 'none'; connect-src 'self'; font-src 'self'; form-action 'none'; frame-ancestors 'none'; " +
  "img-src 'self' data:; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'"

/** A wide arrow in, a narrow one out. */
const ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#1b4d5c"/>' +
  '<path d="M2 3l6 5-6 5z" fill="#fff"/><path d="M8 6l6 2-6 2z" fill="#8fd3c4"/></svg>'
