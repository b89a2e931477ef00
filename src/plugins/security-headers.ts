import fp from 'fastify-plugin'

/**
 * Headers that forbid browsers to guess the type of an API's answers, and to run, frame or store them. The pages of /docs have
 * their own policy. (Helmet's dozen headers are for websites.)
 */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store'
}

export default fp(async (app) => {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(SECURITY_HEADERS)
    done()
  })
}, { name: 'security-headers', fastify: '5.x' })
