// What `npm start` runs: the service, compiled first if its sources have changed.

import { build, NoCompiler } from './build.mjs'

const program = prepare()
if (program !== undefined) await import(program)

function prepare () {
  try {
    build()
    return '../dist/main.js'
  } catch (error) {
    // Node.js 22.18 and newer run the sources as they are.
    if (error instanceof NoCompiler && process.features.typescript) return '../src/main.ts'
    process.stderr.write(`cellserve: ${error.message}\n`)
    process.exitCode = 1
    return undefined
  }
}
