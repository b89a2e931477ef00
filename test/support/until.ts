import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'

/** Waits for what comes sooner or later, on however busy a machine; fails after a long time. */
export async function until (condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const start = performance.now(); !await condition();) {
    assert.ok(performance.now() - start < 30_000, `waited in vain: ${what}`)
    await setTimeout(2)
  }
}
