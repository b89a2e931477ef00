import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Going } from '../../../src/model/going-on.ts'
import { createMemoryStore, type MemoryOptions } from '../../../src/model/sessions/memory.ts'
import { takeSteps } from '../../../src/model/sessions/steps.ts'
import { Tensor } from '../../../src/tensor/tensor.ts'
import { tensorsOf } from '../../../src/wire/tensor-paths.ts'
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

test('what lives as long as a session shares no memory with what comes and goes', async (t) => {
  const { store, model } = await setUp(t)
  const going = model.open({})
  assert.equal(going.row.state.buffer.byteLength, going.row.state.byteLength, 'of an opening')
  const { id } = await store.create({ model, owner: undefined, going })
  const { I } = model.shape
  const x = new Tensor([I], new Float32Array(I))
  const session = await store.get(id, undefined)
  const answer = await takeSteps(store, session, { t: 0, digest: () => 'd' }, async ({ going }) => await model.advance(going, { x, parts: ['h'] }, true))
  const { last } = await store.get(id, undefined)
  assert.deepEqual(last?.answer, answer)
  const kept = tensorsOf(last?.answer ?? {})
  assert.deepEqual(kept.map(([name]) => name), ['output', 'parts/h'])
  for (const [name, { data }] of kept) assert.equal(data.buffer.byteLength, data.byteLength, name)
})
