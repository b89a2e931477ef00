import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Negotiator from 'negotiator'
import Type from '../tensor/typebox.ts'
import { InputError } from '../errors.ts'
import { findFile, sendFile } from './page-files.ts'
import { problems } from './schemas.ts'

const Home = Type.Object({
  name: Type.Literal('cellserve'),
  version: Type.String(),
  reference: Type.String({ description: 'The path of the interactive reference.' }),
  openapi: Type.String({ description: 'The path of the OpenAPI document.' }),
  models: Type.String({ description: 'The path of the list of models.' })
}, { title: 'Home', description: 'What this service is, and where its parts are.' })

export interface HomeOptions {
  readonly version: string
  /** The folder of the page for people; undefined if the page is not to be served. */
  readonly page: string | undefined
}

/** What the page may load and do: load its own files, and call this service. It draws its pictures itself. */
const PAGE_HEADERS = {
  'content-security-policy': "default-src 'none'; base-uri 'none'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; " +
    "img-src 'self' blob:; script-src 'self'; style-src 'self'",
  'referrer-policy': 'no-referrer'
}

/** The answer to a browser if the page has not been built. */
const UNBUILT = '<!doctype html><html lang="en"><title>cellserve</title><p>The page has not been built: that takes Vite, a development dependency, which <code>npm ci</code> installs.' +
  ' <code>npm start</code> then builds it.</p><p>The <a href="docs/">API reference</a> is here.</p></html>\n'

/** `GET /`: for a browser, the page; for a program, where things are. */
const routes: FastifyPluginAsyncTypebox<HomeOptions> = async (app, { version, page }) => {
  const home = { name: 'cellserve' as const, version, reference: '/docs/', openapi: '/openapi.json', models: '/models' }

  app.get('/', {
    config: { open: true },
    schema: {
      security: [],
      operationId: 'home',
      tags: ['operations'],
      summary: 'Get the page, or the paths of the service',
      response: {
        200: {
          description: 'For a browser, which prefers text/html: the page. For any other client: what this service is, and where its parts are.',
          content: { 'application/json': { schema: Home }, 'text/html': { schema: Type.String({ title: 'Page', description: 'A page for running the models by hand, with plots of what they do.' }) } }
        },
        302: { description: 'For a browser, if the page is turned off: a redirect to the interactive reference.', type: 'null' },
        ...problems(429, 503)
      }
    }
  }, async (request, reply) => {
    reply.header('vary', 'accept')
    if (new Negotiator(request.raw).mediaType(['application/json', 'text/html']) !== 'text/html') return home
    // Relative, so that it works behind a proxy that serves it under a path.
    return page === undefined ? reply.redirect('docs/') : await sendPage(request, reply, page)
  })

  if (page === undefined) return
  app.get('/page/:file', { config: { open: true }, schema: { hide: true, params: Type.Object({ file: Type.String() }) } }, async (request, reply) => {
    const { file } = request.params
    // The build names each file by a digest of its content.
    const found = /^[\w.-]+$/.test(file) ? await findFile(request, page, `page/${file}`) : undefined
    if (found === undefined) throw new InputError('unknown', { path: '', message: `the page has no file ${file}` })
    return sendFile(request, reply.header('cache-control', 'public, max-age=31536000, immutable'), found)
  })
}

async function sendPage (request: FastifyRequest, reply: FastifyReply, page: string): Promise<FastifyReply> {
  reply.headers(PAGE_HEADERS).header('cache-control', 'no-cache')
  const found = await findFile(request, page, 'index.html')
  return found === undefined ? reply.type('text/html; charset=utf-8').send(UNBUILT) : sendFile(request, reply, found)
}

export default routes
