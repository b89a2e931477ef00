// Run by `npm start`: compiles the service if its sources have changed, then starts it.

import { build, NoCompiler } from './build.mjs'

const program = prepare()
if (program !== undefined) await import(program)

function prepare () {
  try {
    build()
    return '../dist/main.js'
  } catch (error) {
    // Node.js 22.18 and newer run the sources directly.
    if (error instanceof NoCompiler && process.features.typescript) return '../src/main.ts'
    process.stderr.write(`cellserve: ${error.message}\n`)
    process.exitCode = 1
    return undefined
  }
}
