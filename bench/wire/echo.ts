/**
 * What Fastify can do on its own: `/json` parses a step's request and stringifies an answer of a step's size, `/bytes` sends the
 * body back. It validates and computes nothing.
 */
import Fastify from 'fastify'

const app = Fastify({ bodyLimit: 2 ** 24 })
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => { done(null, body) })
app.post<{ Body: { h_in: number[][], c_in: number[][] } }>('/json', async ({ body }) => ({ h_out: body.h_in, c_out: body.c_in }))
app.post<{ Body: Buffer }>('/bytes', async ({ body }) => body)
console.log(`listening on ${new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port}`)
