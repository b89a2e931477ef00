/** How often expired sessions are looked for, in milliseconds, and how many are looked at in a row. */
const SWEEP = 1000
const SWEPT = 10_000

/**
 * Looks at all sessions, some at a time, again and again.
 *
 * @param look may take the one that it is given out of the map.
 * @param after is called after each time.
 * @returns the timer, which keeps no process from ending.
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
