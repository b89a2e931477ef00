import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { loadAddon } from '../../src/engine/addon.ts'
import { nativeKernels } from '../../src/engine/native.ts'

/** Why tests of the native engine are skipped, or false if its addon is built. */
export const withoutAddon: string | false = reasonToSkip()

function reasonToSkip (): string | false {
  try {
    nativeKernels()
    return false
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** The addon that the service loads. */
export function addonFile (): string {
  let file = ''
  loadAddon((path) => {
    file = fileURLToPath(new URL(path, import.meta.url)) // as deep as src/engine/
    return createRequire(import.meta.url)(file)
  })
  return file
}

/** Asserts equal bits, so that 0 is not -0. */
export function assertSameBits (actual: Float32Array, expected: Float32Array, message: string): void {
  assert.equal(actual.length, expected.length, message)
  const a = new Uint32Array(actual.buffer, actual.byteOffset, actual.length)
  const e = new Uint32Array(expected.buffer, expected.byteOffset, expected.length)
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== e[i]) assert.fail(`${message}: element ${i} is ${actual[i]}, not ${expected[i]}`)
  }
}
