import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pack, PackedError, unpack } from '../../../../src/model/sessions/shared/packed.ts'
import { Tensor } from '../../../../src/tensor/tensor.ts'

const VALUES: readonly unknown[] = [
  null,
  'text with ünïcode',
  new Tensor([3], Float32Array.of(1, -0, 1e-45)),
  { t: 3, output: new Tensor([2, 2], Float32Array.of(1, 2, 3, 4)), parts: { read: new Tensor([1], Float32Array.of(0.1)), attention: new Tensor([3, 1], new Float32Array(3)) } },
  { list: [1, [new Tensor([2], Float32Array.of(5, 6)), { 'a/b': new Tensor([1], Float32Array.of(7)), '~': true }]], path: [], shape: 0 },
  { support: new Tensor([2, 3, 2], Float32Array.from({ length: 8 }, (_, i) => i), Uint32Array.of(1, 3)) }
]

test('what was packed comes back bit by bit, wherever its bytes begin', () => {
  for (const value of VALUES) {
    const bytes = pack(value)
    for (const offset of [0, 1, 2, 3]) {
      const moved = Buffer.concat([Buffer.alloc(offset), bytes]).subarray(offset)
      const back = unpack(moved)
      assert.deepEqual(back, value)
      assert.deepEqual(pack(back), bytes)
    }
  }
})

test('every other byte, and every end that is missing, is an error', () => {
  const bytes = pack(VALUES[3])
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at] ^= 0x10
    assert.throws(() => unpack(damaged), PackedError, `byte ${at}`)
    assert.throws(() => unpack(bytes.subarray(0, at)), PackedError, `${at} bytes`)
  }
})
