/**
 * Whether the suite does all that it can: `npm run test:full`, as CI runs it. `npm test` does a part.
 * The settings of the service are CELLSERVE_*; this is not one of them.
 */
export const FULL: boolean = process.env.TEST_FULL === '1'

/** How many of `count` to do: all, or one in `one`. */
export function scaled (count: number, one = 20): number {
  return FULL ? count : Math.ceil(count / one)
}

/** Options of a test that takes too long for the quick suite, and the reason that is printed there. */
export function onlyFull (why: string): { skip: string | false } {
  return { skip: !FULL && `${why}: npm run test:full` }
}

/** Which of several cases to try, each of which takes long: all, or the first ones. */
export function some<T> (cases: readonly T[], first = 2): readonly T[] {
  return FULL ? cases : cases.slice(0, first)
}
