import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../../src/config/config-error.ts'
import { InputError } from '../../src/errors.ts'
import { createChannel, Ended, type Pipe } from '../../src/workers/channel.ts'

/** Two ends of a pipe; what is sent through it is copied, as between processes. */
function pipes (): [Pipe, Pipe] {
  const listeners: Array<Array<(message: unknown) => void>> = [[], []]
  const end = (own: number): Pipe => ({
    send (message) {
      const copy: unknown = structuredClone(message)
      setImmediate(() => { for (const listener of listeners[1 - own]) listener(copy) })
      return true
    },
    listen: (listener) => { listeners[own].push(listener) }
  })
  return [end(0), end(1)]
}

interface Sums {
  add (a: number, b: number): Promise<number>
  fail (how: string): Promise<void>
  never (): Promise<string>
  nothing (): void
}

function sums (how: Record<string, Error> = {}) {
  const [here, there] = pipes()
  createChannel<Sums, object>(there, {
    add: async (a, b) => a + b,
    async fail (name) { throw how[name] },
    never: async () => await new Promise(() => {}),
    nothing () {}
  })
  return createChannel<object, Sums>(here, {})
}

test('a call is answered by the other end, whatever else is asked meanwhile', async () => {
  const other = sums()
  const never = other.call('never')
  assert.deepEqual(await Promise.all([other.call('add', 1, 2), other.call('add', 3, 4), other.call('nothing')]), [3, 7, undefined])
  other.end()
  await assert.rejects(never, Ended)
  await assert.rejects(other.call('add', 1, 2), Ended)
})

test('what the other end throws is thrown here: a caller\'s error stays one', async () => {
  const other = sums({
    input: new InputError('unavailable', { path: '/x', message: 'no room' }),
    config: new ConfigError('--port: no'),
    other: new TypeError('odd')
  })
  await assert.rejects(other.call('fail', 'input'), (error) => {
    assert.ok(error instanceof InputError)
    assert.deepEqual([error.kind, error.errors], ['unavailable', [{ path: '/x', message: 'no room' }]])
    return true
  })
  await assert.rejects(other.call('fail', 'config'), (error) => error instanceof ConfigError && error.message === '--port: no')
  await assert.rejects(other.call('fail', 'other'), { name: 'Error', message: 'odd' })
})

test('nobody at the other end is an error, not a wait', async () => {
  const other = createChannel<object, Sums>({ send: () => false, listen () {} }, {})
  await assert.rejects(other.call('add', 1, 2), Ended)
})
