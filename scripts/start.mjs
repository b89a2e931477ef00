// What `npm start` runs: the service, compiled first if its sources have changed.

import { build } from './build.mjs'

const problem = build()
if (problem === undefined) {
  await import('../dist/main.js')
} else if (process.features.typescript) {
  // Node.js 22.18 and newer run the sources directly.
  await import('../src/main.ts')
} else {
  process.stderr.write(`cellserve: ${problem}\n`)
  process.exitCode = 1
}
