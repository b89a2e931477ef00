/**
 * Options of tests that need more than Node.js and this repository, such as a registry, a load balancer or Java. They run if
 * TEST_OUTSIDE is set, as `npm run test:outside` does; then nothing is skipped.
 */
export function takes (what: string): { skip: string | false } {
  return { skip: process.env.TEST_OUTSIDE === '1' ? false : `takes ${what}: npm run test:outside` }
}
