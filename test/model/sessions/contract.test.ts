import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { createMemoryStore } from '../../../src/model/sessions/memory.ts'
import type { SessionStore } from '../../../src/model/sessions/session.ts'
import { createMemoryShelf } from '../../../src/model/sessions/shared/memory.ts'
import { createSharedStore } from '../../../src/model/sessions/shared/store.ts'
import { createValkeyStore } from '../../../src/model/sessions/valkey/store.ts'
import { FULL, onlyFull } from '../../support/full.ts'
import { fails } from '../../support/sessions.ts'
import { buildModel, tensor } from '../../support/small.ts'
import { until } from '../../support/until.ts'
import { startValkey, withValkey } from '../../support/valkey.ts'

const bounds = { maxSessions: 3, maxBytes: 1e6, timeout: 60 }
const { model } = await buildModel()
const KEPT = { digest: 'd', answer: { t: 1, output: tensor(3) }, bytes: 12 }

const STORES: ReadonlyArray<readonly [name: string, options: { skip?: string | false }, create: (t: TestContext) => Promise<SessionStore>]> = [
  ['memory', {}, async () => createMemoryStore(bounds)],
  ['a shelf in memory', {}, async () => createSharedStore(createMemoryShelf(bounds), { ...bounds, requestTimeout: 5, modelOf: (name) => name === model.name ? model : undefined })],
  ['Valkey', withValkey, async (t) => await createValkeyStore({
    ...bounds,
    address: { host: '127.0.0.1', port: (await startValkey(t)).port, db: 0, tls: false },
    requestTimeout: 5,
    modelOf: (name) => name === model.name ? model : undefined,
    events: { asked () {}, lost () {}, found () {} }
  })]
]

// Beside one another: most of their time they wait.
describe('a store of sessions', { concurrency: true }, () => {
  for (const [name, options, create] of STORES) {
    describe(name, { ...options, concurrency: 1 }, () => {
      const setUp = async (t: TestContext): Promise<SessionStore> => {
        const store = await create(t)
        t.after(async () => await store.close())
        return store
      }
      const draft = () => ({ model, owner: undefined, going: model.open({}) })

      test('ids are 128 random bits, and a session is found by its own', async (t) => {
        const store = await setUp(t)
        const [a, b] = [await store.create(draft()), await store.create(draft())]
        assert.match(a.id, /^[\w-]{22}$/)
        assert.notEqual(a.id, b.id)
        assert.deepEqual((await store.get(a.id, undefined)).going.row, a.going.row)
        await assert.rejects(store.get('nobody', undefined), fails('unknown', /^there is no such session$/))
      })

      test('a session is of the key that made it: for others it never was', async (t) => {
        const store = await setUp(t)
        const session = await store.create({ ...draft(), owner: 'a' })
        const { id } = session
        for (const other of ['b', undefined]) {
          await assert.rejects(store.get(id, other), fails('unknown', /no such session/))
          await assert.rejects(store.end(id, other), fails('unknown', /no such session/))
          await assert.rejects(store.advance({ ...session, owner: other }, session.going.row, { before: 0, ...KEPT }), fails('unknown', /no such session/))
          assert.deepEqual((await store.page('test', other, 0, 10)).sessions, [])
        }
        assert.equal((await store.get(id, 'a')).owner, 'a')
        await store.end(id, 'a')
        await assert.rejects(store.get(id, 'a'), fails('ended', /^the session has ended: deleted$/))
        await assert.rejects(store.get(id, 'b'), fails('unknown', /no such session/))
      })

      test('a session ends once nobody has used it for its time', onlyFull('takes seconds'), async (t) => {
        const store = await setUp(t)
        assert.equal((await store.create({ ...draft(), idleTimeout: 1e6 })).idleTimeout, 60, 'the bound')
        const idle = FULL ? 3000 : 1500
        const { id, expires } = await store.create({ ...draft(), idleTimeout: idle / 1000 })
        assert.ok(Math.abs(expires - Date.now() - idle) < idle / 3, String(expires - Date.now()))
        for (let i = 0; i < 4; i++) {
          await setTimeout(idle / 3)
          const before = Date.now()
          assert.ok((await store.get(id, undefined)).expires > before + idle - 500)
        }
        await setTimeout(idle + 200)
        await assert.rejects(store.get(id, undefined), fails('ended', /^the session has ended: expired$/))
      })

      test('a session that is in use does not expire', async (t) => {
        const store = await setUp(t)
        const session = await store.create({ ...draft(), idleTimeout: 0.2 })
        const release = await store.hold(session)
        await setTimeout(400)
        const { row } = await model.advance(session.going, { x: tensor(3) }, true)
        assert.equal(await store.advance(session, row, { before: 0, ...KEPT }), true)
        release()
        await setTimeout(400)
        await assert.rejects(store.get(session.id, undefined), fails('ended', /expired/))
      })

      test('a session that ends while it is in use takes no step', async (t) => {
        const store = await setUp(t)
        const session = await store.create(draft())
        const release = await store.hold(session)
        await store.end(session.id, undefined)
        await assert.rejects(store.advance(session, session.going.row, { before: 0, ...KEPT }), fails('ended', /deleted/))
        await assert.rejects(store.hold(session).then((again) => { again() }).then(async () => await store.get(session.id, undefined)), fails('ended', /deleted/))
        release()
      })

      test('past the bound new sessions are refused, and those that live go on', async (t) => {
        const store = await setUp(t)
        const sessions = [await store.create(draft()), await store.create({ ...draft(), owner: 'a' }), await store.create({ ...draft(), idleTimeout: FULL ? 3 : 1 })]
        await assert.rejects(store.create(draft()), fails('unavailable', /^no room for another session: 3 of 3 live/))
        for (const { id, owner } of sessions) await store.get(id, owner)
        await store.end(sessions[0].id, undefined)
        await store.create(draft())
        await assert.rejects(store.create(draft()), fails('unavailable', /no room/))
        await until(async () => await store.create(draft()).then(() => true, () => false), 'the place of one that has expired')
        await store.get(sessions[1].id, 'a')
      })

      test('of several who move a session on, one does; its answer is there for those who ask again', async (t) => {
        const store = await setUp(t)
        const session = await store.create(draft())
        const rows = await Promise.all([0, 1].map(async () => (await model.advance(session.going, { x: tensor(3) }, true)).row))
        const won = await Promise.all(rows.map(async (row) => await store.advance(session, row, { before: 0, ...KEPT })))
        assert.deepEqual(won.toSorted(), [false, true])
        const after = await store.get(session.id, undefined, 0)
        assert.deepEqual(after.going.row, rows[0])
        assert.deepEqual([after.last?.before, after.last?.digest, after.last?.answer], [0, KEPT.digest, KEPT.answer])
        assert.equal(await store.advance(session, rows[0], { before: 0, ...KEPT }), false, 'a stale state')
        assert.equal(await store.advance(after, rows[0]), true)
        assert.equal((await store.get(session.id, undefined, 0)).last, undefined, 'what nobody can ask for again is not kept')
      })

      test('pages have all sessions of a model once, in the order of their making', async (t) => {
        const store = await setUp(t)
        const made = [await store.create(draft()), await store.create(draft()), await store.create(draft())].map(({ id }) => id)
        const first = await store.page('test', undefined, 0, 2)
        await store.end(made[0], undefined)
        const second = await store.page('test', undefined, first.next ?? NaN, 2)
        assert.deepEqual([...first.sessions, ...second.sessions].map(({ id }) => id), made)
        assert.equal(second.next, undefined)
        assert.deepEqual((await store.page('another', undefined, 0, 2)).sessions, [])
        assert.deepEqual((await store.page('test', undefined, 0, 10)).sessions.map(({ id }) => id), made.slice(1))
      })

      test('a session with an id of its maker\'s takes the place of the one before, whoever uses that', async (t) => {
        const store = await setUp(t)
        const id = 'a'.repeat(22)
        const old = await store.create({ ...draft(), id })
        await store.create(draft())
        await store.create(draft())
        const { row } = await model.advance(old.going, { x: tensor(3) }, true)
        assert.equal(await store.advance(old, row, { before: 0, ...KEPT }), true)
        const used = await store.get(id, undefined)
        const release = await store.hold(used)
        await store.create({ ...draft(), id })
        const { going, last } = await store.get(id, undefined, 0)
        assert.deepEqual([going.row.t, last], [0, undefined])
        assert.equal(await store.advance(used, row, { before: 1, ...KEPT }), false)
        release()
        assert.equal((await store.get(id, undefined)).going.row.t, 0)
        assert.equal((await store.page('test', undefined, 0, 10)).sessions.length, 3)
        await assert.rejects(store.create(draft()), fails('unavailable', /3 of 3 live/))
        await store.end(id, undefined)
        await assert.rejects(store.get(id, undefined), fails('ended', /deleted/))
        assert.equal((await store.create({ ...draft(), id })).id, id)
        assert.equal((await store.get(id, undefined)).going.row.t, 0)
      })
    })
  }
})

test('memory: the sessions of a model that is replaced end, after the step that is being taken', async (t) => {
  const store = createMemoryStore(bounds)
  t.after(async () => await store.close())
  const session = await store.create({ model, owner: undefined, going: model.open({}) })
  const release = await store.hold(session)
  const { model: other } = await buildModel()
  const kept = await store.create({ model: other, owner: undefined, going: other.open({}) })
  store.leave(model)
  assert.equal(await store.advance(session, { ...session.going.row, t: 1 }), true)
  release()
  await assert.rejects(store.get(session.id, undefined), fails('ended', /^the session has ended: model replaced$/))
  const late = await store.create({ model, owner: undefined, going: model.open({}) })
  await assert.rejects(store.get(late.id, undefined), fails('ended', /model replaced/))
  assert.equal((await store.get(kept.id, undefined)).id, kept.id)
})
