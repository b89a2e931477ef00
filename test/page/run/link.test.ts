import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { readLink, writeLink } from '../../../page/src/run/link.ts'
import { createRandom, randomWalk } from '../../../page/src/input/random.ts'

test('a link holds its model and its request', async () => {
  const request = { x: [randomWalk(createRandom(1), 48, 3)], parts: ['h'], note: 'äöü' }
  const link = await writeLink({ model: 'a model/ä', request }) ?? assert.fail()
  assert.match(link, /^#model=[\w%+]+&request=[\w-]+$/)
  assert.ok(link.length < JSON.stringify(request).length)
  assert.deepEqual(await readLink(link), { model: 'a model/ä', request })
  assert.deepEqual(await readLink(await writeLink({ model: 'gru' }) ?? ''), { model: 'gru' })
})

test('a request that is too long for a link has none', async () => {
  assert.equal(await writeLink({ model: 'm', request: { x: [randomWalk(createRandom(1), 4000, 4)] } }), undefined)
})

test('what holds no request is nothing, or says why it cannot be read', async () => {
  const packed = (text: string): string => `#model=m&request=${deflateRawSync(text).toString('base64url')}`
  for (const hash of ['', '#', '#request', '#request=abc']) assert.equal(await readLink(hash), undefined)
  for (const hash of ['#model=m&request=!', '#model=m&request=abcd', packed('{'), packed('3'), packed('[]'), packed('null'), packed(' '.repeat(5_000_000))]) {
    const read = await readLink(hash)
    assert.ok(read instanceof Error, hash.slice(0, 60))
    assert.match(read.message, /^The request in the link cannot be read: /)
  }
})
