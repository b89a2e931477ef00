import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig, type Config } from '../../src/config/settings.ts'
import { shareOf, shelfBytes, workersOf } from '../../src/config/workers.ts'

function read (...args: readonly string[]): Config {
  const config = readConfig(args, {})
  assert.ok(typeof config === 'object')
  return config
}

const eight = (): number => 8

test('one process serves unless more are asked for; auto is one for each core', () => {
  assert.equal(workersOf(read(), eight), 1)
  assert.equal(workersOf(read('--workers', '3'), eight), 3)
  assert.equal(workersOf(read('--workers', 'auto'), eight), 8)
  assert.equal(workersOf(read('--workers', 'auto'), () => 1000), 256)
})

test('what is no number of workers is refused', () => {
  for (const text of ['0', '-1', '1.5', '257', 'many', '02']) {
    assert.throws(() => read('--workers', text), { message: `--workers: expected auto, or a number from 1 to 256, got "${text}"` })
  }
})

test('all workers together hold what is configured, and no more', () => {
  const config = read('--max-rows', '100', '--max-bytes', '1001', '--max-connections', '7', '--max-sockets', '0', '--max-session-bytes', '1000', '--threads', '2')
  const { threads, ...share } = shareOf(config, 3, eight)
  assert.deepEqual([share['max-rows'], share['max-bytes'], share['max-connections'], share['max-sockets'], threads], [33, 333, 2, 0, 1])
  assert.equal(shelfBytes(config) + 3 * share['max-session-bytes'], 500 + 3 * 166)
  assert.deepEqual([share['max-sessions'], share['body-limit'], share['max-steps']], [config['max-sessions'], config['body-limit'], config['max-steps']])
})

test('sessions that are kept elsewhere leave all of their bytes to the workers', () => {
  const config = read('--sessions', 'redis://localhost', '--max-session-bytes', '1000')
  assert.deepEqual([shelfBytes(config), shareOf(config, 2, eight)['max-session-bytes']], [0, 500])
})

test('threads are shared out: the cores, if nothing else is said', () => {
  assert.equal(shareOf(read(), 2, eight).threads, 4)
  assert.equal(shareOf(read(), 8, eight).threads, 1)
  assert.equal(shareOf(read(), 5, eight).threads, 1)
})
