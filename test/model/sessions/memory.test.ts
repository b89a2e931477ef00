import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Going } from '../../../src/model/going-on.ts'
import { createMemoryStore, type MemoryOptions } from '../../../src/model/sessions/memory.ts'
import { fails } from '../../support/sessions.ts'
import { buildModel } from '../../support/small.ts'

async function setUp (t: TestContext, over: Partial<MemoryOptions> = {}) {
  const clock = { now: 1e12 }
  const store = createMemoryStore({ maxSessions: 3, maxBytes: 1e6, timeout: 60, now: () => clock.now, ...over })
  t.after(async () => await store.close())
  const { model } = await buildModel()
  let disposed = 0
  const going = (): Going => ({ ...model.open({}), context: { given: {}, context: {}, memory: undefined, dispose: () => { disposed++ } } })
  return { store, clock, model, going, disposed: () => disposed, draft: () => ({ model, owner: undefined, going: going() }) }
}

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

test('past the bound of bytes new sessions are refused, and those that live go on', async (t) => {
  const { draft } = await setUp(t)
  const { store: small, draft: another } = await setUp(t, { maxBytes: 2 * draft().going.bytes })
  const first = await small.create(another())
  await small.create(another())
  await assert.rejects(small.create(another()), fails('unavailable', /hold \d+ of \d+ bytes/))
  // An answer for which there is no room is not kept; the session goes on.
  const row = { ...first.going.row, t: 1 }
  assert.equal(await small.advance(first, row, { before: 0, digest: 'd', answer: {}, bytes: 1e6 }), true)
  assert.deepEqual([(await small.get(first.id, undefined)).going.row, (await small.get(first.id, undefined)).last], [row, undefined])
})
