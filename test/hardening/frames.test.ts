import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { test } from 'node:test'
import supertest from 'supertest'
import { startService } from '../support/app.ts'
import { createDice, type Dice } from '../support/dice.ts'
import { scaled } from '../support/full.ts'
import { until } from '../support/until.ts'

const SOCKETS = Number(process.env.TEST_HARDENING_SOCKETS ?? scaled(2000))
const SEED = Number(process.env.TEST_HARDENING_SEED ?? 1)
const HEAD = `GET /models/custom-lstm/stream HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${'A'.repeat(22)}==\r\n\r\n`

/** A frame as a client sends it, masked. */
function frameOf (first: number, payload: Uint8Array, dice: Dice): Buffer {
  const mask = Array.from({ length: 4 }, () => dice.below(256))
  const length = payload.length < 126 ? [payload.length] : payload.length < 2 ** 16 ? [126, payload.length >> 8, payload.length & 255] : [127, 0, 0, 0, 0, payload.length >> 24, payload.length >> 16 & 255, payload.length >> 8 & 255, payload.length & 255]
  const [size, ...more] = length
  return Buffer.concat([Buffer.from([first, 0x80 | size, ...more, ...mask]), payload.map((byte, i) => byte ^ mask[i % 4])])
}

/** Some frames of all kinds: messages that are right and not, in fragments, cut, spoilt, of wrong opcodes. */
function framesOf (dice: Dice): Buffer {
  const texts = [
    '{"x": [0.5, -0.25]}', '{"x": [[0.5, -0.25], [1, 2]], "t": 0}', '{"begin": true}', '{"state": true}', '{"x": [1, 2], "steps": 300, "return_sequences": false}', '{"c_in": [1, 2, 3]}',
    '{"x": [1, 2, 3]}', '{"x": []}', '{"x": "1"}', '{"x": [1e99, 0]}', '{"x": [1, 2], "steps": 1e9}', '{"ids": 3}', '{"state": "AAAA"}', '{"h_in": [[1]]}', '{"__proto__": 1}', '{}', '[]', 'null', '{', '"', '{"x": [1,', '\u0000'
  ]
  const message = (): { opcode: number, payload: Uint8Array } => {
    if (dice.chance(0.6)) return { opcode: 1, payload: Buffer.from(dice.pick(texts)) }
    if (dice.chance(0.8)) return { opcode: 2, payload: new Uint8Array(Float32Array.from({ length: 2 * (1 + dice.below(dice.chance(0.9) ? 4 : 3000)) }, () => dice.below(200) / 100 - 1).buffer) }
    return { opcode: dice.pick([1, 2]), payload: Uint8Array.from({ length: dice.below(300) }, () => dice.below(256)) }
  }
  let bytes = Buffer.concat(Array.from({ length: 1 + dice.below(6) }, () => {
    if (dice.chance(0.1)) return frameOf(0x80 | dice.pick([9, 10]), new Uint8Array(dice.below(126)), dice)
    if (dice.chance(0.05)) return frameOf(0x88, Uint8Array.of(3, 232), dice)
    const { opcode, payload } = message()
    if (dice.chance(0.7)) return frameOf(0x80 | opcode, payload, dice)
    const at = dice.below(payload.length + 1)
    const between = dice.chance(0.3) ? frameOf(0x89, new Uint8Array(3), dice) : Buffer.alloc(0)
    return Buffer.concat([frameOf(opcode, payload.subarray(0, at), dice), between, frameOf(0x80, payload.subarray(at), dice)])
  }))
  if (dice.chance(0.3)) {
    bytes = Buffer.from(bytes)
    bytes[dice.below(bytes.length)] ^= 1 << dice.below(8)
  }
  return dice.chance(0.2) ? bytes.subarray(0, dice.below(bytes.length)) : bytes
}

test(`${SOCKETS} sockets that send frames of all kinds: nothing of them stays, and others are answered (seed ${SEED})`, { timeout: 600_000 }, async (t) => {
  const { app, admission } = await startService(t, '--body-limit', '16384')
  const dice = createDice(SEED)
  const known = await supertest(app.server).post('/step').send({ x: [0.5, -0.25] }).expect(200)
  let left = SOCKETS
  let answered = 0
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (left-- > 0) {
      const socket = connect(Number(new URL(app.listeningOrigin).port), '127.0.0.1')
      socket.on('error', () => {})
      const bytes = framesOf(dice)
      // The handshake and the frames may come at once, and in any pieces.
      const cut = dice.below(bytes.length + 1)
      const reads = dice.chance(0.9)
      socket.write(HEAD)
      socket.write(bytes.subarray(0, cut))
      if (reads) {
        const [head] = await once(socket, 'data')
        assert.match(String(head), /^HTTP\/1\.1 101 /)
      }
      socket.write(bytes.subarray(cut))
      if (reads) socket.on('data', () => { answered++ })
      await setTimeout(dice.below(20))
      if (dice.chance(0.5)) socket.destroy()
      else socket.end()
    }
  }))
  await until(() => admission.rows === 0 && admission.bytes === 0, `what they held is given back: ${admission.rows} rows, ${admission.bytes} bytes`)
  assert.ok(answered > SOCKETS / 4, String(answered))
  const { body } = await supertest(app.server).post('/step').send({ x: [0.5, -0.25] }).expect(200)
  assert.deepEqual(body, known.body)
  const { text } = await supertest(app.server).get('/metrics').expect(200)
  assert.doesNotMatch(text, /status="5\d\d"/)
  assert.match(text, /^cellserve_open_sockets 0$/m)
  for (const status of [200, 400, 409, 422]) assert.match(text, new RegExp(`route="/models/:model/stream",model="custom-lstm",status="${status}"`))
})
