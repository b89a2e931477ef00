import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import supertest from 'supertest'
import { buildTestApp } from '../support/app.ts'
import { onlyFull } from '../support/full.ts'
import { writeModels } from '../support/models.ts'
import { ADDRESS, run } from '../support/process.ts'
import { customLstm, writeSafetensors } from '../support/safetensors.ts'

/** It does what the request says; its process id is the first number of `h_next`. */
const UNRULY = `
  import { writeFileSync } from 'node:fs'
  export const context = { type: 'object', properties: { code: { type: 'string' } }, additionalProperties: false }
  const { pid } = process
  export function feedback ({ h, context: { code } }) {
    if (code !== undefined) new Function('writeFileSync', code)(writeFileSync)
    return [pid, h[0]]
  }`

async function unrulyModels (t: TestContext): Promise<string> {
  return await writeModels(t, {
    'unruly/model.safetensors': writeSafetensors(customLstm(1, 2, 1)),
    'unruly/config.json': '{"feedback": {"policy": "module"}}',
    'unruly/feedback.mjs': UNRULY,
    'calm.safetensors': writeSafetensors(customLstm(2, 2, 2))
  })
}

test('while a model\'s own code loops, all else is answered, and then its request is a 500', onlyFull('takes seconds'), async (t) => {
  const timeout = 4
  const request = supertest((await buildTestApp(t, '--models', await unrulyModels(t), '--feedback-timeout', String(timeout))).server)
  const send = (body: object) => request.post('/models/unruly/sequence').send({ x: [[1], [2]], ...body })
  await send({}).expect(200)

  let isLooping = true
  const start = performance.now()
  const looping = send({ context: { code: 'for (;;);' } }).then((answer) => {
    isLooping = false
    return answer
  })
  let answered = 0
  for (; performance.now() - start < 375 * timeout; answered++) {
    const asked = performance.now()
    await request.get('/health/live').expect(200)
    await request.post('/models/calm/step').send({ x: [1, 2] }).expect(200)
    await request.post('/models/unruly/step').send({ x: [1] }).expect(200)
    assert.ok(performance.now() - asked < 500 * timeout, 'none of the three waited for the loop')
    assert.ok(isLooping)
  }
  assert.ok(answered > 2)
  const { status, body } = await looping
  assert.equal(status, 500)
  assert.equal(body.detail, `model unruly: the model's feedback.mjs did not return within ${timeout} s, for step 0`)
  await send({}).expect(200)
})

test('one whose own time is over is a 504, and one that waits for it is answered', onlyFull('takes seconds'), async (t) => {
  const request = supertest((await buildTestApp(t, '--models', await unrulyModels(t), '--feedback-timeout', '1.5')).server)
  const send = (body: object) => request.post('/models/unruly/sequence').send({ x: [[1], [2]], ...body })
  const late = send({ context: { code: 'for (;;);' } }).set('x-request-timeout', '0.5')
  const [{ status }, other] = await Promise.all([late, send({})])
  assert.equal(status, 504)
  assert.equal(other.status, 200)
})

test('a module reads the x of a stream\'s steps; its failure is the last line', async (t) => {
  const models = await writeModels(t, {
    'm/model.safetensors': writeSafetensors(customLstm(1, 2, 1)),
    'm/config.json': '{"feedback": {"policy": "module"}}',
    'm/feedback.mjs': 'export const feedback = ({ h, x, t }) => { if (x[0] === 7) throw new Error("secret"); return [...h, x[0]] }'
  })
  const request = supertest((await buildTestApp(t, '--models', models)).server)
  const lines = async (x: number[][]) => {
    const { text } = await request.post('/sequence').set('accept', 'application/x-ndjson').send({ x }).buffer().parse((res, done) => {
      let text = ''
      res.on('data', (chunk) => { text += String(chunk) }).on('end', () => done(null, text))
    }).then(({ body }) => ({ text: String(body) }))
    return text.trim().split('\n').map((line): Record<string, unknown> => JSON.parse(line))
  }
  const good = await lines([[1], [2], [3]])
  assert.deepEqual(good.map((line) => Object.keys(line)), [['t', 'output'], ['t', 'output'], ['t', 'output'], ['h_out', 'c_out']], 'h_next would need an x')
  const bad = await lines([[1], [7], [3]])
  assert.match(JSON.stringify(bad.at(-1)), /threw an error, for step 1/)
  assert.doesNotMatch(JSON.stringify(bad), /secret/)
})

test('the process of a module does not outlive the service, even one that is killed while the module loops', onlyFull('takes seconds'), async (t) => {
  const models = await unrulyModels(t)
  const server = run(t, '--models', models, '--port', '0', '--feedback-timeout', '60')
  const url = await server.line(ADDRESS)
  const send = async (context: object): Promise<unknown> => {
    const answer = await fetch(`${url}/models/unruly/sequence`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ x: [[1]], context }) })
    return await answer.json()
  }
  const { h_next: [pid] } = Object(await send({}))
  assert.ok(isAlive(pid))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal)
  assert.deepEqual(Object(await send({})).h_next[0], pid, 'it leaves signals to the service')
  const loops = join(models, 'loops')
  const looping = send({ code: `writeFileSync(${JSON.stringify(loops)}, ''); for (;;);` }).catch(() => {})
  while (!existsSync(loops)) await new Promise((resolve) => setTimeout(resolve, 20))
  server.stop('SIGKILL')
  await looping
  const end = performance.now() + 10_000
  while (isAlive(pid) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20))
  const survives = isAlive(pid)
  if (survives) process.kill(pid, 'SIGKILL')
  assert.ok(!survives)
})

function isAlive (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
