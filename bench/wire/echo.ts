/**
 * What Fastify and Node.js can do on their own: `/json` parses a step's request and stringifies an answer of a step's size with a
 * schema; `/bytes` sends the body back. They validate and compute nothing.
 *
 *     tsx bench/wire/echo.ts fastify
 *     tsx bench/wire/echo.ts http
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'

const say = (port: number): void => { console.log(`listening on ${port}`) }

if (process.argv[2] === 'http') {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => { chunks.push(chunk) })
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': body.length })
      response.end(body)
    })
  })
  server.listen(0, '127.0.0.1', () => {
    const address: AddressInfo | string | null = server.address()
    if (typeof address === 'object' && address !== null) say(address.port)
  })
} else {
  const numbers = { type: 'array', items: { type: 'array', items: { type: 'number' } } }
  const app = Fastify({ bodyLimit: 2 ** 24 })
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => { done(null, body) })
  const schema = { response: { 200: { type: 'object', properties: { h_out: numbers, c_out: numbers } } } }
  app.post<{ Body: { h_in: number[][], c_in: number[][] } }>('/json', { schema }, async ({ body }) => ({ h_out: body.h_in, c_out: body.c_in }))
  app.post<{ Body: Buffer }>('/bytes', async ({ body }) => body)
  say(Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port))
}
