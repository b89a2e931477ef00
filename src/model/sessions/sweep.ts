/** How often to look for expired sessions, in milliseconds, and how many sessions to check each time. */
const SWEEP = 1000
const SWEPT = 10_000

/**
 * Checks all sessions again and again, some at a time.
 *
 * @param look can remove the session that it receives from the map.
 * @param after is called after each time.
 * @returns the timer, which does not keep the process from ending.
 */
export function sweep<T> (entries: ReadonlyMap<string, T>, look: (id: string, entry: T) => void, after: () => void): NodeJS.Timeout {
  let left = entries.entries()
  return setInterval(() => {
    for (let looked = 0; looked < SWEPT; looked++) {
      const next = left.next()
      if (next.done === true) {
        left = entries.entries()
        break
      }
      look(...next.value)
    }
    after()
  }, SWEEP).unref()
}
