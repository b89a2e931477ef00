import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import supertest from 'supertest'
import { receive } from '../../src/plugins/receive.ts'
import { bytesBeforeTensors } from '../../src/tensor/safetensors.ts'
import { scaled } from '../support/full.ts'
import { f32, writeRaw } from '../support/safetensors.ts'

const NUMBERS = scaled(2 ** 20, 8)

for (const spaces of [0, 1, 2, 3]) {
  for (const chunked of [false, true]) {
    test(`the numbers of a large ${chunked ? 'chunked ' : ''}body begin at a multiple of four, ${spaces} bytes past what its sender aligned`, async (t) => {
      const app = Fastify({ bodyLimit: 2 ** 24 })
      app.removeAllContentTypeParsers()
      app.addContentTypeParser('*', (request, _payload, done) => {
        receive(request, () => {}, done, { ahead: bytesBeforeTensors })
      })
      let got: Buffer = Buffer.alloc(0)
      app.post('/', (request, reply) => {
        assert.ok(Buffer.isBuffer(request.body))
        got = request.body
        void reply.send('ok')
      })
      await app.listen()
      t.after(async () => await app.close())
      const { shape, bytes } = f32([NUMBERS], Array.from({ length: NUMBERS }, (_, i) => i))
      const body = Buffer.from(writeRaw(JSON.stringify({ x: { dtype: 'F32', shape, data_offsets: [0, bytes.byteLength] } }) + ' '.repeat(spaces), bytes))
      const post = supertest(app.server).post('/').set('content-type', 'application/octet-stream')
      if (chunked) {
        post.write(body.subarray(0, 100_000))
        post.write(body.subarray(100_000))
      } else post.set('content-length', String(body.length)).write(body)
      await post.expect(200)
      assert.ok(got.equals(body))
      assert.equal((got.byteOffset + bytesBeforeTensors(got)) % 4, 0)
    })
  }
}
