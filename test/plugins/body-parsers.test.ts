import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import { LARGE } from '../../src/wire/large-json.ts'
import { startService } from '../support/app.ts'
import { onlyFull, scaled } from '../support/full.ts'
import { createConnection, postBytes } from '../support/http.ts'
import { writeModels } from '../support/models.ts'
import { ADDRESS, run } from '../support/process.ts'
import { customLstm, writeSafetensors } from '../support/safetensors.ts'
import { assertFree } from '../support/turns.ts'
import { until } from '../support/until.ts'

const WIDTH = 4096
/** As many MiB as a body may have; fewer are enough to see that it is read elsewhere. */
const MIB = scaled(16, 8)
const LIMIT = MIB * 2 ** 20

async function wideModels (t: TestContext): Promise<string> {
  return await writeModels(t, { 'wide.safetensors': writeSafetensors(customLstm(WIDTH, 2, 2)) })
}

/** Just not too long: as many numbers as there can be. */
function filled (end: string): Buffer {
  const row = `,[${'0,'.repeat(WIDTH - 1)}0]`
  const begin = '{"return_sequences":false,"x":['
  return Buffer.from(begin + row.repeat(Math.floor((LIMIT - begin.length - end.length) / row.length)).slice(1) + end)
}

const VALID = filled(']}')
const MALFORMED = filled(']} ]')

test('a JSON body gets the same answer whether it is read on the event loop or in a thread', async (t) => {
  const { app } = await startService(t)
  const port = Number(new URL(app.listeningOrigin).port)
  const CASES: ReadonlyArray<[path: string, text: string, status: number]> = [
    ['/step', '{"x":[[0.5,-0.25]]}', 200],
    ['/sequence', '{"x":[[[1,2]],[[3,4],[5,6]]],"h_0":[0.1,0.2,0.3]}', 200],
    ['/step', '{"x":[1,2,3]}', 422],
    ['/step', '{"x":[[1,2],[3]]}', 422],
    ['/step', '{"x":[[1,1e400]]}', 422],
    ['/step', '{"x":[[1,null]]}', 400],
    ['/step', '{"x":[1,2],"y":3}', 400],
    ['/step', '{"x":[1,2]}}', 400],
    ['/step', '{"x":[1,2],}', 400],
    ['/sequence', '{"x":[[1,2]],"context":{"constructor":{}}}', 400],
    ['/sequence', '{"x":[[1,2]],"lengths":"none"}', 400]
  ]
  for (const [path, text, status] of CASES) {
    const [small, large] = await Promise.all([LARGE - 1, LARGE].map(async (length) => {
      const connection = createConnection(port)
      const { status, body } = await connection.send(postBytes(path, 'application/json', Buffer.from(text.padEnd(length))), false)
      connection.close()
      return [status, body.toString()]
    }))
    assert.equal(small[0], status, `${path} ${text}: ${small[1]}`)
    assert.deepEqual(large, small)
  }
})

test('a step of a session with a large body is safe to retry', async (t) => {
  const { app } = await startService(t)
  const connection = createConnection(Number(new URL(app.listeningOrigin).port))
  t.after(() => connection.close())
  const send = async (path: string, text: string): Promise<[number, Record<string, unknown>]> => {
    const { status, body } = await connection.send(postBytes(path, 'application/json', Buffer.from(text)), false)
    return [status, JSON.parse(body.toString())]
  }
  const [, { session }] = await send('/models/symmetric/sessions', '{}')
  const step = '{"x":[1,2],"t":0}'.padEnd(LARGE + 5)
  const first = await send(`/sessions/${String(session)}/step`, step)
  assert.equal(first[0], 200, JSON.stringify(first[1]))
  assert.deepEqual(await send(`/sessions/${String(session)}/step`, step), first)
  assert.equal((await send(`/sessions/${String(session)}/step`, `${step} `))[0], 409)
})

for (const [what, body, status] of [['valid', VALID, 200], ['malformed at its end', MALFORMED, 400]] as const) {
  test(`the event loop is free while a body of ${MIB} MiB is read that is ${what}`, async (t) => {
    const { app } = await startService(t, '--models', await wideModels(t))
    const connection = createConnection(Number(new URL(app.listeningOrigin).port))
    t.after(() => connection.close())
    const request = postBytes('/sequence', 'application/json', body)
    await assertFree(t, async () => {
      const answer = await connection.send(request, false)
      assert.equal(answer.status, status, answer.body.toString())
    })
  })
}

test('bodies whose clients go are counted until the thread has done with them, and leave nothing', onlyFull('reads 16 MiB six times'), async (t) => {
  const { app, admission } = await startService(t, '--models', await wideModels(t))
  const port = Number(new URL(app.listeningOrigin).port)
  const request = postBytes('/sequence', 'application/json', MALFORMED)
  let [arrived, gone] = [0, 0]
  app.server.on('request', (raw: IncomingMessage, response: ServerResponse) => {
    raw.on('end', () => { arrived++ })
    response.on('close', () => { gone++ })
  })
  const sockets = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  for (const socket of sockets) socket.write(request)
  await until(() => arrived === sockets.length, 'all have arrived')
  for (const socket of sockets) socket.destroy()
  await until(() => gone === sockets.length, 'all are gone')
  assert.ok(admission.bytes >= MALFORMED.length, 'the last one waits at least')
  await until(() => admission.bytes === 0, 'nothing is held')
  const connection = createConnection(port)
  t.after(() => connection.close())
  assert.equal((await connection.send(postBytes('/sequence', 'application/json', VALID), false)).status, 200)
  await until(() => admission.bytes === 0, 'nothing is held')
})

test('the thread does not keep the process', onlyFull('starts processes'), async (t) => {
  const server = run(t, '--port', '0', '--models', await wideModels(t))
  const port = Number(new URL(await server.line(ADDRESS)).port)
  const connection = createConnection(port)
  assert.equal((await connection.send(postBytes('/sequence', 'application/json', VALID), false)).status, 200)
  // Nor does it if it is at work.
  const gone = connect(port, '127.0.0.1').on('error', () => {})
  gone.write(postBytes('/sequence', 'application/json', MALFORMED))
  await setTimeout(100)
  gone.destroy()
  connection.close()
  const start = performance.now()
  server.stop()
  const { code, stderr } = await server.ended
  assert.deepEqual([code, stderr], [0, ''])
  assert.ok(performance.now() - start < 9000, 'it ends before its grace is over')
})
