import assert from 'node:assert/strict'

/** Asserts equality except for rounding: TensorFlow.js sums in an order that depends on the batch. */
export function closeTo (actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length)
  for (const [i, value] of actual.entries()) assert.ok(Math.abs(value - expected[i]) <= 1e-6, `${value} at ${i}, expected ${expected[i]}`)
}
