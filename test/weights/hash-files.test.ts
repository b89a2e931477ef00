import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashFiles } from '../../src/weights/hash-files.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('the same files have the same hash, in whatever order', () => {
  assert.equal(hashFiles({ a: bytes('1'), b: bytes('2') }), hashFiles({ b: bytes('2'), a: bytes('1') }))
})

test('another name, byte or cut between files is another hash', () => {
  const hashes = [
    { a: bytes('12'), b: bytes('3') }, { a: bytes('1'), b: bytes('23') }, { a: bytes('12'), c: bytes('3') }, { a: bytes('12') },
    { a: bytes('12"b" 1\n3') }, { a: bytes('12'), b: bytes('') }
  ].map(hashFiles)
  assert.equal(new Set(hashes).size, hashes.length)
})
