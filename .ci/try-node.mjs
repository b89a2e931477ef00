// Compares the service's answers on another Node.js with its answers on this one, byte for byte. Both use the native engine.
//
//     node .ci/try-node.mjs COMMAND [ARGUMENT]...     as .ci/get-node.sh prints it, for the platforms in prebuilds/
//
// Exits with 3 if the service does not start: under qemu-user it is slow, and on a busy machine a plugin may not load within its ten seconds.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const other = process.argv.slice(2)
const children = []
try {
  const here = await serve([process.execPath])
  const there = await serve(other) ?? await serve(other)
  if (there === undefined) {
    console.log('the service did not start in time')
    process.exitCode = 3
  } else {
    await compare(here, there)
  }
} finally {
  for (const child of children) child.kill('SIGKILL')
}

/** Starts the service on a free port. @returns its address, or undefined if it ends. */
async function serve ([command, ...args]) {
  const child = spawn(command, [...args, 'dist/main.js', '--port', '0', '--threads', '2'], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  for await (const line of createInterface(child.stdout)) {
    const [, url] = /Server listening at (http:\/\/[\d.:]+)/.exec(line) ?? []
    if (url !== undefined) return url
  }
  return undefined
}

/** Sends each example in each model's own document to both. */
async function compare (here, there) {
  const { models } = await (await fetch(`${here}/models`)).json()
  const engine = (await (await fetch(`${there}/models`)).json()).models[0].engine
  assert.equal(engine.name, 'native')
  let answers = 0
  for (const { name } of models) {
    const { paths } = await (await fetch(`${here}/models/${name}/openapi.json`)).json()
    for (const [path, { post }] of Object.entries(paths)) {
      if (!/\/(step|sequence)$/.test(path) || path.includes('{')) continue
      for (const { value } of Object.values(post.requestBody.content['application/json'].examples)) {
        const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
        const [expected, found] = await Promise.all([here, there].map(async (url) => {
          const answer = await fetch(`${url}${path}`, request)
          return `${answer.status} ${await answer.text()}`
        }))
        assert.match(expected, /^200 /)
        assert.equal(found, expected, `${path} of ${name}`)
        answers++
      }
    }
  }
  assert.ok(answers > models.length)
  console.log(`${other.join(' ')}, ${JSON.stringify(engine)}: ${answers} answers of ${models.length} models have the same bytes as here`)
}
