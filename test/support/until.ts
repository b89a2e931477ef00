import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'

/** Waits until a condition is true, even on a busy machine; fails after 30 seconds. */
export async function until (condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const start = performance.now(); !await condition();) {
    assert.ok(performance.now() - start < 30_000, `waited in vain: ${what}`)
    await setTimeout(2)
  }
}
