import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createThread } from '../src/thread.ts'
import type { Question } from './support/echo-thread.ts'

/** A module beside the thread's own. */
const BASE = import.meta.url.replace(/[^/]+$/, (name) => `support/${name}`)

test('large memory goes to the thread and comes back, and what is in a pool is copied', async (t) => {
  const thread = createThread<Question, Question>('echo-thread', BASE)
  t.after(() => thread.close())
  const large = Float32Array.from({ length: 2 ** 16 }, (_, i) => i)
  const part = large.subarray(5, 7)
  const small = Float32Array.of(1, 2)
  const { numbers } = await thread.ask({ does: 'answer', numbers: [large, part, small] })
  assert.deepEqual(numbers, [Float32Array.from({ length: 2 ** 16 }, (_, i) => i), Float32Array.of(5, 6), Float32Array.of(1, 2)])
  assert.deepEqual([large.length, part.length, small.length], [0, 0, 2])
  assert.equal(numbers?.[0].buffer, numbers?.[1].buffer)
})

test('a thread that ends fails the question in work, and the next one starts it anew', async (t) => {
  const thread = createThread<Question, Question>('echo-thread', BASE)
  t.after(() => thread.close())
  for (let i = 0; i < 2; i++) {
    await assert.rejects(thread.ask({ does: 'throw' }), { name: 'RangeError', message: 'asked to' })
    assert.deepEqual(await thread.ask({ does: 'answer' }), { does: 'answer' })
    await assert.rejects(thread.ask({ does: 'exit' }), { message: 'the thread echo-thread has ended' })
    assert.deepEqual(await thread.ask({ does: 'answer' }), { does: 'answer' })
  }
  const closed = assert.rejects(thread.ask({ does: 'nothing' }), { message: 'the thread echo-thread has ended' })
  await thread.close()
  await closed
  await thread.close()
})
