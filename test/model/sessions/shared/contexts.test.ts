import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import type { Going } from '../../../../src/model/going-on.ts'
import { createContexts } from '../../../../src/model/sessions/shared/contexts.ts'
import { fails } from '../../../support/sessions.ts'
import { buildModel } from '../../../support/small.ts'

const { model } = await buildModel()

function setUp (maxBytes: number) {
  const loads: string[] = []
  const disposed: string[] = []
  const goingOf = (id: string): Going => ({ ...model.open({}), bytes: 10, context: { given: {}, context: {}, memory: undefined, dispose: () => { disposed.push(id) } } })
  const contexts = createContexts(maxBytes)
  const find = async (id: string, made = '1'): Promise<Going> => await contexts.find(id, made, 10, async () => {
    loads.push(id)
    await setImmediate()
    return goingOf(id)
  })
  return { contexts, loads, disposed, find }
}

test('a context is loaded once for all who ask at once or later', async () => {
  const { loads, find } = setUp(100)
  const [a, b] = await Promise.all([find('a'), find('a')])
  assert.equal(a, b)
  assert.equal(await find('a'), a)
  assert.deepEqual(loads, ['a'])
})

test('the one that was used longest ago makes room, unless it is in use', async () => {
  const { contexts, loads, disposed, find } = setUp(20)
  await find('a')
  await find('b')
  await find('a')
  await find('c')
  assert.deepEqual(disposed, ['b'])
  const releases = [await contexts.pin('a', '1', await find('a')), await contexts.pin('c', '1', await find('c'))]
  await assert.rejects(find('b'), fails('unavailable', /no room for the session's context: it takes 10 bytes, and others that are in use hold 20 of 20/))
  releases[0]()
  await find('b')
  assert.deepEqual([loads, disposed], [['a', 'b', 'c', 'b'], ['b', 'a']])
})

test('one that goes while it is in use is let go after that, and counts until then', async () => {
  const { contexts, disposed, find } = setUp(20)
  const a = await find('a')
  const release = await contexts.pin('a', '1', a)
  contexts.drop('a')
  await setImmediate()
  assert.deepEqual(disposed, [])
  const other = await find('a')
  assert.notEqual(other, a)
  await assert.rejects(async () => {
    const pinned = await contexts.pin('a', '1', other)
    try {
      await find('b')
    } finally {
      pinned()
    }
  }, fails('unavailable', /hold 20 of 20/))
  release()
  await setImmediate()
  assert.deepEqual(disposed, ['a'])
  await find('b')
})

test('one that has gone before it is used is taken back', async () => {
  const { contexts, loads, disposed, find } = setUp(20)
  const a = await find('a')
  contexts.drop('a')
  const release = await contexts.pin('a', '1', a)
  assert.equal(await find('a'), a)
  release()
  assert.deepEqual(loads, ['a'])
  contexts.clear()
  await setImmediate()
  assert.deepEqual(disposed, ['a', 'a'])
})

test('another session that takes the id has a context of its own', async () => {
  const { contexts, loads, disposed, find } = setUp(20)
  const first = await find('a', '1')
  const release = await contexts.pin('a', '1', first)
  const second = await find('a', '2')
  assert.notEqual(second, first)
  assert.equal(await find('a', '2'), second)
  assert.deepEqual([loads, disposed], [['a', 'a'], []])
  release()
  await setImmediate()
  assert.deepEqual(disposed, ['a'])
})

test('a load that fails is tried again', async () => {
  const { contexts, loads, find } = setUp(10)
  await assert.rejects(contexts.find('a', '1', 10, async () => { throw new Error('away') }), /away/)
  await find('a')
  assert.deepEqual(loads, ['a'])
})
