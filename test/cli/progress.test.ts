import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createProgress, timeOf } from '../../src/cli/progress.ts'

function shown (isTTY: boolean, quiet = false): { texts: string[], at: (seconds: number, share: number) => void, clear: () => void } {
  const texts: string[] = []
  let time = 0
  const progress = createProgress({ isTTY, columns: 60, write: (text: string | Uint8Array) => texts.push(String(text)) > 0 }, quiet, () => time)
  return {
    texts,
    at (seconds, share) {
      time = seconds * 1000
      progress.show(share, `${share * 1000} sequences`)
    },
    clear: () => { progress.clear() }
  }
}

test('a terminal has a bar with the time left, which is taken away', () => {
  const { texts, at, clear } = shown(true)
  at(0, 0)
  at(0.1, 0.1)
  at(10, 0.25)
  clear()
  assert.deepEqual(texts, [
    `\r[${' '.repeat(30)}] 0 %, 0 sequences\u001b[K`,
    `\r[${'#'.repeat(7)}${' '.repeat(19)}] 25 %, 250 sequences, 30 s left\u001b[K`,
    '\r\u001b[K'
  ])
})

test('elsewhere there is a line every ten seconds, and none if it is to be quiet', () => {
  const { texts, at, clear } = shown(false)
  for (let s = 1; s <= 20; s++) at(s, s / 100)
  clear()
  assert.deepEqual(texts, ['10 %, 100 sequences, 1 min 40 s left\n', '20 %, 200 sequences, 1 min 25 s left\n'])
  const silent = shown(false, true)
  silent.at(60, 0.5)
  assert.deepEqual(silent.texts, [])
})

test('times are short', () => {
  assert.deepEqual([0, 61_000, 7_261_000].map(timeOf), ['0 s', '1 min 01 s', '2 h 01 min'])
})
