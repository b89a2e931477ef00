// A server that does nothing, for what a start costs at least: `node bench/start/bare.mjs fastify`, or `http`, which loads Node.js alone.
const port = await (process.argv[2] === 'fastify' ? fastify() : http())
console.log(`listening on ${port}`)

async function fastify () {
  const { default: Fastify } = await import('fastify')
  const app = Fastify()
  app.get('/', async () => 'ok')
  return new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port
}

async function http () {
  const { createServer } = await import('node:http')
  const server = createServer((_request, response) => response.end('ok'))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server.address().port
}
