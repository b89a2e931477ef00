import assert from 'node:assert/strict'
import { InputError, type ErrorKind } from '../../src/errors.ts'

/** A check for `assert.rejects`. */
export const fails = (kind: ErrorKind, message: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof InputError, String(error))
  assert.match(error.message, message)
  assert.equal(error.kind, kind)
  return true
}
