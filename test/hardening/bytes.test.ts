import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { startService } from '../support/app.ts'
import { createDice } from '../support/dice.ts'
import { scaled } from '../support/full.ts'
import { sendRaw } from '../support/http.ts'
import { createRequests } from './requests.ts'

const CONNECTIONS = scaled(2000)

const NOISE = ['\r\n', '\r\n\r\n', '\0', ':', ' ', 'HTTP/1.1', 'transfer-encoding: chunked\r\n', 'content-length: 5\r\n', 'content-length: 99999999999999999999\r\n', 'connection: upgrade\r\nupgrade: h2c\r\n', 'ffffffff\r\n', '\u00ff'.repeat(50), 'GET / HTTP/1.1\r\n']

test(`${CONNECTIONS} connections of bytes that are HTTP no more: each is answered or closed, and good requests beside them are served`, async (t) => {
  const { app, admission } = await startService(t)
  const port = Number(new URL(app.listeningOrigin).port)
  const dice = createDice(1)
  const requests = createRequests(dice, ['nobody'])
  /** Not a HEAD, because after its answer nobody can tell where the next one begins. */
  const nextBytes = (): Buffer => {
    const { method, bytes } = requests.next()
    return method === 'HEAD' ? nextBytes() : bytes
  }
  const counts = { answers: 0, refused: 0 }
  let left = CONNECTIONS
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (left-- > 0) {
      let bytes = nextBytes()
      if (dice.chance(0.3)) bytes = Buffer.concat([bytes, nextBytes()])
      for (let edits = 1 + dice.below(3); edits > 0; edits--) {
        // Mostly in the head.
        const at = dice.below(dice.chance(0.7) ? Math.min(150, bytes.length) : bytes.length)
        bytes = Buffer.concat([bytes.subarray(0, at), dice.chance(0.7) ? Buffer.from(dice.pick(NOISE), 'latin1') : Buffer.alloc(0), bytes.subarray(at + dice.below(5))])
      }
      for (const { status, headers, body } of await sendRaw(port, bytes)) {
        counts.answers++
        assert.ok(status < 500, `${status} to ${JSON.stringify(bytes.toString('latin1').slice(0, 1000))}`)
        if (status < 400) continue
        counts.refused++
        assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/)
        if (body.length > 0) assert.equal(JSON.parse(body.toString()).status, status)
      }
      if (dice.chance(0.02)) await supertest(app.server).post('/step').send({ x: [1, 2] }).expect(200)
    }
  }))
  assert.ok(counts.answers > CONNECTIONS / 4 && counts.refused > CONNECTIONS / 7, JSON.stringify(counts))
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
  await supertest(app.server).get('/health/ready').expect(200)
})
