import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { createAdmission } from '../../src/scheduler/admission.ts'

const overloaded = { name: 'InputError', kind: 'unavailable' }

test('what requests hold adds up, and past the bounds they are refused', () => {
  const admission = createAdmission(10, 1000)
  const [first, second] = [admission.reserve(), admission.reserve()]
  first.hold(600)
  first.enter(6)
  second.hold(300)
  second.enter(4)
  assert.deepEqual([admission.rows, admission.bytes, admission.full], [10, 900, true])
  assert.throws(() => second.hold(101), overloaded)
  assert.throws(() => second.enter(1), overloaded)
  assert.throws(() => admission.reserve(), overloaded)
  assert.deepEqual([admission.rows, admission.bytes], [10, 900], 'what was refused is not counted')
  second.leave(4)
  second.release()
  assert.deepEqual([admission.rows, admission.bytes, admission.full], [6, 600, false])
})

test('a request alone may exceed the bounds', () => {
  const admission = createAdmission(10, 1000)
  const alone = admission.reserve(5000)
  alone.hold(5000)
  alone.enter(50)
  assert.throws(() => admission.reserve(), overloaded)
  alone.leave(50)
  alone.release()
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})

test('a body that is announced is held at once, and refused if there is no room', () => {
  const admission = createAdmission(10, 1000)
  const first = admission.reserve(600)
  assert.equal(admission.bytes, 600)
  assert.throws(() => admission.reserve(401), overloaded)
  admission.reserve(400)
  first.release()
  assert.equal(admission.bytes, 400)
})

test('large bodies that are still arriving take half of the room, and small ones the rest', () => {
  const large = 100_000
  const admission = createAdmission(10, 10 * large)
  const uploads = Array.from({ length: 5 }, () => admission.reserve(large))
  assert.throws(() => admission.reserve(large), overloaded)
  const small = admission.reserve(60_000)
  uploads[0].arrived()
  uploads[0].arrived()
  const sixth = admission.reserve(large)
  assert.throws(() => admission.reserve(large), overloaded)
  uploads[1].release()
  admission.reserve(large)
  assert.equal(admission.bytes, 6 * large + 60_000)
  for (const reservation of [...uploads, small, sixth]) reservation.release()
  assert.equal(admission.bytes, large)
  const alone = createAdmission(10, 1000)
  alone.reserve(large).arrived()
})

test('a release waits for the last row, gives back once, and nothing is counted after it', () => {
  const admission = createAdmission(10, 1000)
  const reservation = admission.reserve()
  reservation.hold(500)
  reservation.enter(3)
  reservation.leave(1)
  reservation.release()
  assert.deepEqual([admission.rows, admission.bytes], [2, 500], 'its rows are still in a batch')
  reservation.leave(2)
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
  reservation.release()
  assert.throws(() => reservation.hold(1), { kind: 'gone' })
  assert.throws(() => reservation.enter(1), { kind: 'gone' })
  assert.deepEqual([admission.rows, admission.bytes], [0, 0])
})

test('a request that is over keeps what it holds for as long as its work uses it', async () => {
  const admission = createAdmission(10, 1000)
  const request = admission.reserve(600)
  let end = (): void => {}
  let fail = (): void => {}
  request.keepFor(new Promise<void>((resolve) => { end = resolve }))
  request.keepFor(new Promise<void>((_resolve, reject) => { fail = () => reject(new Error('in vain')) }))
  request.release()
  assert.equal(admission.bytes, 600)
  end()
  await setImmediate()
  assert.equal(admission.bytes, 600)
  fail()
  await setImmediate()
  assert.equal(admission.bytes, 0)
})
