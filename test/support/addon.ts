import assert from 'node:assert/strict'
import { nativeKernels } from '../../src/engine/native.ts'

/** Why tests of the native engine are skipped, or false where its addon is built. */
export const withoutAddon: string | false = reasonToSkip()

function reasonToSkip (): string | false {
  try {
    nativeKernels()
    return false
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Equality of bits, so that 0 is not -0. */
export function assertSameBits (actual: Float32Array, expected: Float32Array, message: string): void {
  assert.equal(actual.length, expected.length, message)
  const a = new Uint32Array(actual.buffer, actual.byteOffset, actual.length)
  const e = new Uint32Array(expected.buffer, expected.byteOffset, expected.length)
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== e[i]) assert.fail(`${message}: element ${i} is ${actual[i]}, not ${expected[i]}`)
  }
}
