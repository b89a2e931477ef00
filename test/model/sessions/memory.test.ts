import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { InputError, type ErrorKind } from '../../../src/errors.ts'
import type { Going } from '../../../src/model/going-on.ts'
import { createMemoryStore, type MemoryOptions } from '../../../src/model/sessions/memory.ts'
import { buildModel, tensor } from '../../support/small.ts'

async function setUp (t: TestContext, over: Partial<MemoryOptions> = {}) {
  const clock = { now: 1e12 }
  const store = createMemoryStore({ maxSessions: 3, maxBytes: 1e6, timeout: 60, now: () => clock.now, ...over })
  t.after(async () => await store.close())
  const { model } = await buildModel()
  let disposed = 0
  const going = (): Going => ({ ...model.open({}), context: { given: {}, context: {}, memory: undefined, dispose: () => { disposed++ } } })
  return { store, clock, model, going, disposed: () => disposed, draft: () => ({ model, owner: undefined, going: going() }) }
}

const fails = (kind: ErrorKind, message: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof InputError)
  assert.equal(error.kind, kind)
  assert.match(error.message, message)
  return true
}

test('ids are 128 random bits, and a session is found by its own', async (t) => {
  const { store, draft } = await setUp(t)
  const [a, b] = [await store.create(draft()), await store.create(draft())]
  assert.match(a.id, /^[\w-]{22}$/)
  assert.notEqual(a.id, b.id)
  assert.equal((await store.get(a.id, undefined)).going, a.going)
  await assert.rejects(store.get('nobody', undefined), fails('unknown', /^there is no such session$/))
})

test('a session is of the key that made it: for others it never was', async (t) => {
  const { store, draft } = await setUp(t)
  const { id } = await store.create({ ...draft(), owner: 'a' })
  for (const other of ['b', undefined]) {
    await assert.rejects(store.get(id, other), fails('unknown', /no such session/))
    await assert.rejects(store.end(id, other), fails('unknown', /no such session/))
    assert.deepEqual((await store.page('test', other, 0, 10)).sessions, [])
  }
  await store.end(id, 'a')
  await assert.rejects(store.get(id, 'a'), fails('ended', /deleted/))
  await assert.rejects(store.get(id, 'b'), fails('unknown', /no such session/))
})

test('a session ends once nobody has used it for its time, and says so for an hour', async (t) => {
  const { store, clock, draft, disposed } = await setUp(t)
  const short = await store.create({ ...draft(), idleTimeout: 10 })
  assert.equal(short.expires, clock.now + 10_000)
  assert.equal((await store.create({ ...draft(), idleTimeout: 1e6 })).idleTimeout, 60, 'the bound')
  clock.now += 9_999
  await store.get(short.id, undefined)
  clock.now += 9_999
  await store.get(short.id, undefined)
  clock.now += 10_000
  await assert.rejects(store.get(short.id, undefined), fails('ended', /^the session has ended: expired$/))
  assert.equal(disposed(), 1)
  clock.now += 3_600_000
  await assert.rejects(store.get(short.id, undefined), fails('unknown', /no such session/))
})

test('a session that is in use neither expires nor loses its context', async (t) => {
  const { store, clock, draft, disposed } = await setUp(t)
  const session = await store.create({ ...draft(), idleTimeout: 1 })
  const release = await store.hold(session)
  clock.now += 60_000
  await store.get(session.id, undefined)
  await store.end(session.id, undefined)
  assert.equal(disposed(), 0)
  await assert.rejects(store.advance(session, session.going.row, { before: 0, digest: '', answer: {}, bytes: 0 }), fails('ended', /deleted/))
  release()
  assert.equal(disposed(), 1)
})

test('past the bounds new sessions are refused, and those that live go on', async (t) => {
  const { store, draft } = await setUp(t)
  const sessions = [await store.create(draft()), await store.create(draft()), await store.create(draft())]
  await assert.rejects(store.create(draft()), fails('unavailable', /^no room for another session: 3 of 3 live/))
  for (const { id } of sessions) await store.get(id, undefined)
  await store.end(sessions[0].id, undefined)
  await store.create(draft())

  const { store: small, draft: another } = await setUp(t, { maxBytes: 2 * draft().going.bytes })
  const first = await small.create(another())
  await small.create(another())
  await assert.rejects(small.create(another()), fails('unavailable', /hold \d+ of \d+ bytes/))
  // An answer for which there is no room is not kept; the session goes on.
  const row = { ...first.going.row, t: 1 }
  assert.equal(await small.advance(first, row, { before: 0, digest: 'd', answer: {}, bytes: 1e6 }), true)
  assert.deepEqual([(await small.get(first.id, undefined)).going.row, (await small.get(first.id, undefined)).last], [row, undefined])
})

test('of several who move a session on, one does', async (t) => {
  const { store, model, draft } = await setUp(t)
  const session = await store.create(draft())
  const x = tensor(3)
  const taken = { before: 0, digest: '', answer: {}, bytes: 0 }
  const rows = await Promise.all([0, 1].map(async () => (await model.advance(session.going, { x }, true)).row))
  assert.equal(rows[0].t, 1)
  assert.deepEqual([await store.advance(session, rows[0], taken), await store.advance(session, rows[1], taken)], [true, false])
})

test('pages have all sessions of a model once, in the order of their making', async (t) => {
  const { store, draft } = await setUp(t)
  const made = [await store.create(draft()), await store.create(draft()), await store.create(draft())].map(({ id }) => id)
  const first = await store.page('test', undefined, 0, 2)
  await store.end(made[0], undefined)
  const second = await store.page('test', undefined, first.next ?? NaN, 2)
  assert.deepEqual([...first.sessions, ...second.sessions].map(({ id }) => id), made)
  assert.equal(second.next, undefined)
  assert.deepEqual((await store.page('another', undefined, 0, 2)).sessions, [])
})
