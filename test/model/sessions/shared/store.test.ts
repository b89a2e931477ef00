import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Model } from '../../../../src/model/model.ts'
import type { SessionStore } from '../../../../src/model/sessions/session.ts'
import { createMemoryShelf } from '../../../../src/model/sessions/shared/memory.ts'
import type { Shelf } from '../../../../src/model/sessions/shared/shelf.ts'
import { createSharedStore } from '../../../../src/model/sessions/shared/store.ts'
import { takeSteps } from '../../../../src/model/sessions/steps.ts'
import { fails } from '../../../support/sessions.ts'
import { buildModel, tensor } from '../../../support/small.ts'

const bounds = { maxSessions: 10, maxBytes: 1e6, timeout: 60 }
const { model } = await buildModel()
const X = tensor(3)

/** Two processes that share a shelf, and how often each has read it. */
function setUp (t: TestContext, { requestTimeout = 5, served = () => model }: { requestTimeout?: number, served?: () => Model } = {}) {
  const shelf = createMemoryShelf(bounds)
  t.after(() => shelf.close())
  return [0, 1].map(() => {
    const asked = { reads: 0 }
    const counting: Shelf = { ...shelf, read: async (...args) => { asked.reads++; return await shelf.read(...args) } }
    return { asked, store: createSharedStore(counting, { ...bounds, requestTimeout, modelOf: served }) }
  })
}

/** A step as a request takes it. */
async function step (store: SessionStore, id: string, t?: number, owner?: string): Promise<unknown> {
  const session = await store.recall(id, owner, t)
  return await takeSteps(store, session, { t, digest: () => 'the same' }, async ({ going }) => await session.model.advance(going, { x: X }, true))
}

/** What the steps of a new session are answered. */
async function expected (steps: number): Promise<unknown[]> {
  let going = model.open({})
  const answers: unknown[] = []
  for (let i = 0; i < steps; i++) {
    const { answer, row } = await model.advance(going, { x: X }, true)
    answers.push(answer)
    going = { ...going, row }
  }
  return answers
}

test('a session whose client counts its steps is read once, as long as all of them come to one process', async (t) => {
  const [{ asked, store }] = setUp(t)
  const { id } = await store.create({ model, owner: undefined, going: model.open({}) })
  const answers: unknown[] = []
  for (let i = 0; i < 5; i++) answers.push(await step(store, id, i))
  assert.deepEqual(answers, await expected(5))
  assert.equal(asked.reads, 1)
  await step(store, id)
  assert.equal(asked.reads, 2, 'a step that says no t asks where the session is')
})

test('another process takes steps between: none is lost or taken twice, and one that is sent again answers what it answered', async (t) => {
  const [one, two] = setUp(t)
  const { id } = await one.store.create({ model, owner: undefined, going: model.open({}) })
  const all = await expected(6)
  for (const [i, { store }] of [one, one, two, two, one, two].entries()) assert.deepEqual(await step(store, id, i), all[i], `step ${i}`)
  assert.deepEqual(await step(one.store, id, 5), all[5], 'the last, from the other process')
  await assert.rejects(step(one.store, id, 3), fails('conflict', /has taken 6 steps: t = 6, and the request is for t = 3/))
  const [a, b] = await Promise.all([one, two].map(async ({ store }) => await step(store, id, 6)))
  assert.deepEqual(a, b, 'the same step to both at once')
  assert.equal((await one.store.get(id, undefined)).going.row.t, 7)
})

test('a session that another process has begun anew goes on from there, though it has taken as many steps', async (t) => {
  const [one, two] = setUp(t)
  const draft = { id: 'a'.repeat(22), model, owner: undefined }
  const { id } = await one.store.create({ ...draft, going: model.open({ h_in: tensor(5) }) })
  await step(one.store, id, 0)
  await two.store.create({ ...draft, going: model.open({}) })
  await step(two.store, id, 0)
  const [, second] = await expected(2)
  assert.deepEqual(await step(one.store, id, 1), second)
})

test('what is remembered of a session is nobody else\'s, and goes with it', async (t) => {
  const [one, two] = setUp(t)
  const { id } = await one.store.create({ model, owner: 'a', going: model.open({}) })
  await step(one.store, id, 0, 'a')
  await assert.rejects(step(one.store, id, 1, 'b'), fails('unknown', /no such session/))
  assert.equal(one.asked.reads, 2, 'the shelf is asked')
  await two.store.end(id, 'a')
  await assert.rejects(step(one.store, id, 1, 'a'), fails('ended', /deleted/))
})

test('a version of the model in the place of the one that took the last step is asked whether it can go on', async (t) => {
  const { model: next } = await buildModel()
  let served = model
  const [{ asked, store }] = setUp(t, { served: () => served })
  const { id } = await store.create({ model, owner: undefined, going: model.open({}) })
  await step(store, id, 0)
  served = next
  await step(store, id, 1)
  assert.equal(asked.reads, 2)
})

test('a session that could end before its steps are taken is read, which puts off its end', async (t) => {
  const [{ asked, store }] = setUp(t, { requestTimeout: bounds.timeout })
  const { id } = await store.create({ model, owner: undefined, going: model.open({}) })
  for (let i = 0; i < 3; i++) await step(store, id, i)
  assert.equal(asked.reads, 3)
})

test('what is at hand of a session that begins with steps shares no memory with what comes and goes', async (t) => {
  const [{ store }] = setUp(t)
  const going = model.open({})
  const { row } = await model.advance(going, { x: X }, true)
  const session = await store.create({ model, owner: undefined, going: { ...going, row } })
  assert.deepEqual(session.going.row, row)
  assert.equal(session.going.row.state.buffer.byteLength, row.state.byteLength)
})
