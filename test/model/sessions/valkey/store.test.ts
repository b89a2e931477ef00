import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { loadModels } from '../../../../src/load.ts'
import type { Model } from '../../../../src/model/model.ts'
import type { Session, SessionStore } from '../../../../src/model/sessions/session.ts'
import { takeSteps } from '../../../../src/model/sessions/steps.ts'
import { createValkeyStore, type ValkeyOptions } from '../../../../src/model/sessions/valkey/store.ts'
import { Tensor } from '../../../../src/tensor/tensor.ts'
import { testDeps } from '../../../support/app.ts'
import { fails } from '../../../support/sessions.ts'
import { until } from '../../../support/until.ts'
import { startValkey, withValkey, type ValkeyServer } from '../../../support/valkey.ts'

const model = (await loadModels('models', await testDeps())).find(({ name }) => name === 'matching-networks') ?? assert.fail('no model')
const X = new Tensor([4], Float32Array.of(0.5, 0.1, -0.2, 0.3))
const context = { support: new Tensor([2, 4], Float32Array.of(1, 0, 0, 0, 0, 1, 0, 0)) }

async function setUp (t: TestContext, over: Partial<ValkeyOptions> & { server?: ValkeyServer, port?: number } = {}) {
  const { server = over.port === undefined ? await startValkey(t) : undefined, port = server?.port ?? 0, ...options } = over
  const asked: Record<string, number> = {}
  const told: string[] = []
  const store = await createValkeyStore({
    address: { host: '127.0.0.1', port, db: 0, tls: false },
    maxSessions: 1e3,
    maxBytes: 1e6,
    timeout: 600,
    requestTimeout: 5,
    modelOf: (name) => name === model.name ? model : undefined,
    events: {
      asked: (command) => { asked[command] = (asked[command] ?? 0) + 1 },
      lost: (reason) => { told.push(reason) },
      found: () => { told.push('found') }
    },
    ...options
  })
  t.after(async () => await store.close())
  return { store, asked, told, server: server ?? { ...await noServer(), port } }
}

async function noServer (): Promise<ValkeyServer> {
  const none = async (): Promise<never> => await Promise.reject(new Error('there is no server'))
  return { port: 0, url: '', signal: none, restart: none, command: none, commands: none }
}

const open = async (store: SessionStore): Promise<Session> => await store.create({ model, owner: undefined, going: model.open({ context }) })

/** A step by a store, as a request makes it. */
async function step (store: SessionStore, id: string, t?: number): Promise<unknown> {
  const session = await store.get(id, undefined, t)
  return await takeSteps(store, session, { t, digest: () => 'the same' }, async ({ going }) => await session.model.advance(going, { x: X }, true))
}

test('any replica takes any step; each loads the context once', withValkey, async (t) => {
  const one = await setUp(t)
  const two = await setUp(t, { server: one.server })
  const { id, going } = await open(one.store)
  let row = going.row
  for (let i = 0; i < 6; i++) {
    const { answer, row: next } = await model.advance({ ...going, row }, { x: X }, true)
    row = next
    assert.equal(answer.t, i + 1)
    assert.deepEqual(await step([one, two][i % 2].store, id, i), answer)
  }
  assert.deepEqual([one.asked.get, two.asked.get], [undefined, 1])
  assert.deepEqual((await two.store.get(id, undefined)).going.row, row)
  assert.deepEqual((await two.store.get(id, undefined)).going.context?.given, context)
})

test('the same step by two replicas at once is taken once, and both answer it', withValkey, async (t) => {
  const one = await setUp(t)
  const two = await setUp(t, { server: one.server })
  const { id } = await open(one.store)
  for (let i = 0; i < 20; i++) {
    const [a, b] = await Promise.all([step(one.store, id, i), step(two.store, id, i)])
    assert.deepEqual(a, b)
  }
  assert.equal((await one.store.get(id, undefined)).going.row.t, 20)
  // Without t one of them is refused, if they meet.
  const both = await Promise.allSettled([step(one.store, id), step(two.store, id)])
  const taken = both.filter(({ status }) => status === 'fulfilled').length
  assert.equal((await one.store.get(id, undefined)).going.row.t, 20 + taken)
  for (const settled of both) if (settled.status === 'rejected') assert.ok(fails('conflict', /t = 21, and another request has advanced it in the meantime/)(settled.reason))
})

test('a session that the store has lost in part, or as a whole, is told so', withValkey, async (t) => {
  const one = await setUp(t)
  const two = await setUp(t, { server: one.server })
  const { command } = one.server
  const key = ({ id }: Session, part: string): string => `cellserve:{${id}}:${part}`
  const sessions = [await open(one.store), await open(one.store), await open(one.store), await open(one.store)]
  const [noContext, noRow, damaged, other] = sessions
  await command('DEL', key(noContext, 'context'))
  await assert.rejects(step(two.store, noContext.id), fails('ended', /^the session has ended: lost: the store no longer has its context$/))
  await command('DEL', key(noRow, 'row'))
  for (const { store } of [one, two]) await assert.rejects(step(store, noRow.id), fails('ended', /^the session has ended: lost$/))
  await command('HSET', key(damaged, 'row'), 'row', 'garbage')
  await assert.rejects(step(two.store, damaged.id), fails('ended', /^the session has ended: lost: its state in the store is damaged$/))
  await command('SET', key(other, 'context'), 'garbage')
  await assert.rejects(step(two.store, other.id), fails('ended', /^the session has ended: lost: its context in the store is damaged$/))
  await command('HSET', key(damaged, 'row'), 'idle', 'garbage')
  await assert.rejects(step(two.store, damaged.id), fails('unavailable', /does not answer/))
  await command('FLUSHALL')
  await assert.rejects(step(one.store, other.id), fails('ended', /^the session has ended: lost$/))
  const three = await setUp(t, { server: one.server })
  await assert.rejects(step(three.store, other.id), fails('unknown', /no such session/))
})

test('a session of another version of the model, or of one that is not served, is a 410 here and lives on there', withValkey, async (t) => {
  const one = await setUp(t)
  const newer: Model = { ...model, version: 'f'.repeat(64) }
  const two = await setUp(t, { server: one.server, modelOf: () => newer })
  const three = await setUp(t, { server: one.server, modelOf: () => undefined })
  const { id } = await open(one.store)
  await assert.rejects(step(two.store, id), fails('ended', /^the session has ended: model replaced: it belongs to matching-networks, version .+; this replica serves version f{16}-/))
  await assert.rejects(step(three.store, id), fails('ended', /model replaced: .* does not serve/))
  assert.deepEqual((await two.store.page('matching-networks', undefined, 0, 10)).sessions, [])
  await step(one.store, id)
})

test('a store that forgets its scripts gets them again', withValkey, async (t) => {
  const { store, server } = await setUp(t)
  const { id } = await open(store)
  await step(store, id)
  await server.command('SCRIPT', 'FLUSH')
  await step(store, id)
})

test('long answers of a sequence are not kept, and a session without a context takes no second key', withValkey, async (t) => {
  const { store, server, asked } = await setUp(t)
  const session = await store.create({ model, owner: undefined, going: model.open({}, true) })
  const { row } = session.going
  await store.advance(session, { ...row, t: 1 }, { before: 0, digest: 'd', answer: { t: 1 }, bytes: 1e6 })
  const next = await store.get(session.id, undefined, 0)
  assert.deepEqual([next.going.row.t, next.last, asked.get], [1, undefined, undefined])
  assert.equal(await server.command('EXISTS', `cellserve:{${session.id}}:context`), ':0\r\n')
})

test('what the store keeps ends by itself', withValkey, async (t) => {
  const { store, server } = await setUp(t)
  const { id } = await open(store)
  await step(store, id)
  for (const part of ['row', 'mark', 'context']) {
    const left = Number((await server.command('PTTL', `cellserve:{${id}}:${part}`)).slice(1))
    const most = part === 'mark' ? 600_000 + 3_600_000 : 600_000
    assert.ok(left > most - 5000 && left <= most, `${part}: ${left}`)
  }
  await store.end(id, undefined)
  assert.equal(await server.command('EXISTS', `cellserve:{${id}}:row`, `cellserve:{${id}}:context`), ':0\r\n')
})

test('contexts past the bound of bytes are loaded again, and one that is larger than it is refused', withValkey, async (t) => {
  const size = model.open({ context }).bytes
  const { store, asked, server } = await setUp(t, { maxBytes: 2.5 * size })
  const sessions = [await open(store), await open(store), await open(store)]
  for (let i = 0; i < 3; i++) for (const { id } of sessions) await step(store, id, i)
  assert.ok(asked.get >= 6, String(asked.get))
  const { store: small } = await setUp(t, { server, maxBytes: size - 1 })
  await assert.rejects(open(small), fails('unavailable', /no room for the session's context/))
  assert.equal((await small.page(model.name, undefined, 0, 10)).sessions.length, 3, 'the refused one is not among them')
})

test('a store that has no room for more says so', withValkey, async (t) => {
  const { store, server } = await setUp(t)
  const { id } = await open(store)
  await server.command('CONFIG', 'SET', 'maxmemory', '1000000')
  await assert.rejects(open(store), fails('unavailable', /it has no room for more/))
  await assert.rejects(step(store, id), fails('unavailable', /it has no room for more/))
  await server.command('CONFIG', 'SET', 'maxmemory', '0')
  await step(store, id, 0)
})

test('while the store is away every call fails at once; then sessions go on where they were', withValkey, async (t) => {
  const { store, server, told } = await setUp(t, { server: await startValkey(t, '--appendonly', 'yes', '--appendfsync', 'always') })
  const { id } = await open(store)
  await step(store, id, 0)
  await server.signal('SIGKILL')
  await until(() => told.length > 0, 'the loss')
  const start = performance.now()
  for (let i = 0; i < 100; i++) await assert.rejects(step(store, id, 1), fails('unavailable', /the session store does not answer: there is no connection to it; requests without sessions still work/))
  assert.ok(performance.now() - start < 1000, 'at once')
  await server.restart()
  await until(async () => await step(store, id, 1).then(() => true, () => false), 'its return')
  assert.equal((await store.get(id, undefined)).going.row.t, 2)
  assert.deepEqual([told.length, told.at(-1)], [2, 'found'])
})

test('a store that stalls is given up after a while, and found again', { ...withValkey, timeout: 60_000 }, async (t) => {
  const { store, server } = await setUp(t)
  const { id } = await open(store)
  await server.signal('SIGSTOP')
  const start = performance.now()
  await assert.rejects(step(store, id, 0), fails('unavailable', /does not answer/))
  assert.ok(performance.now() - start < 5000, 'a bounded time')
  await assert.rejects(step(store, id, 0), fails('unavailable', /does not answer/))
  await server.signal('SIGCONT')
  await until(async () => await step(store, id, 0).then(() => true, () => false), 'its return')
})

test('who answers no protocol of the store\'s is no store', async (t) => {
  const strangers = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => { socket.write('HTTP/1.1 400 Bad Request\r\n\r\n') })
  }).listen(0, '127.0.0.1')
  await once(strangers, 'listening')
  t.after(() => strangers.close())
  const address = strangers.address()
  assert.ok(typeof address === 'object' && address !== null)
  const { store, told } = await setUp(t, { port: address.port })
  await assert.rejects(open(store), fails('unavailable', /does not answer/))
  assert.ok(told.length > 0)
})

test('a password is asked for and sent, and no message shows it', withValkey, async (t) => {
  const server = await startValkey(t, '--requirepass', 'correct-horse')
  const address = { host: '127.0.0.1', port: server.port, db: 3, tls: false }
  const right = await setUp(t, { server, address: { ...address, password: 'correct-horse' } })
  await step(right.store, (await open(right.store)).id)
  for (const password of ['battery-staple', undefined]) {
    const wrong = await setUp(t, { server, address: { ...address, password } })
    await assert.rejects(open(wrong.store), (error) => {
      assert.ok(fails('unavailable', /does not answer/)(error))
      assert.doesNotMatch(String(error), /battery|horse/)
      return true
    })
    assert.doesNotMatch(wrong.told.join(), /battery|horse/)
  }
})
