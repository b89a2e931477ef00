/**
 * Whether the suite does all that it can: `npm run test:full`, as CI runs it. `npm test` does a twentieth of the counts.
 * The settings of the service are CELLSERVE_*; this is not one of them.
 */
export const FULL: boolean = process.env.TEST_FULL === '1'

/** How many of `count` to do. */
export function scaled (count: number): number {
  return FULL ? count : Math.ceil(count / 20)
}
