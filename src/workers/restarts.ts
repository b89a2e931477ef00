/** A worker that has served for this many milliseconds did not end because of its start. */
const LONG = 10_000
/** The longest wait, in seconds. */
const MOST = 30

/** How long to wait before restarting a process that has ended: longer each time if it keeps ending soon after its start. */
export interface Restarts {
  /** The process has ended. @returns the seconds to wait. */
  next (): number
}

/** @param now the clock, in milliseconds. */
export function createRestarts (now: () => number = performance.now.bind(performance)): Restarts {
  let begun = now()
  let soon = 0
  return {
    next () {
      soon = now() - begun < LONG ? soon + 1 : 0
      const seconds = soon < 2 ? 0 : Math.min(MOST, 2 ** (soon - 2))
      begun = now() + 1000 * seconds
      return seconds
    }
  }
}
