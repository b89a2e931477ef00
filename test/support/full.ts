/**
 * Whether the suite runs completely: `npm run test:full`, as in CI. `npm test` runs a part. The settings of the service are
 * CELLSERVE_*; this is not one of them.
 */
export const FULL: boolean = process.env.TEST_FULL === '1'

/** How many of `count` cases to run: all, or one in `one`. */
export function scaled (count: number, one = 20): number {
  return FULL ? count : Math.ceil(count / one)
}

/** Options of a test that takes too long for the quick suite, with the reason to print there. */
export function onlyFull (why: string): { skip: string | false } {
  return { skip: !FULL && `${why}: npm run test:full` }
}

/** Which of several slow cases to try: all, or the first ones. */
export function some<T> (cases: readonly T[], first = 2): readonly T[] {
  return FULL ? cases : cases.slice(0, first)
}
