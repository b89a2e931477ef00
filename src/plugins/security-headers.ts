import fp from 'fastify-plugin'

/**
 * Headers for browsers, which have no business with the answers of an API: not to guess a type, nor to run, frame or keep
 * what comes. The pages of /docs bring a policy of their own. (Helmet's dozen is for sites.)
 */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store'
}

export default fp(async (app) => {
  app.addHook('onRequest', async (_request, reply) => { reply.headers(SECURITY_HEADERS) })
}, { name: 'security-headers', fastify: '5.x' })
