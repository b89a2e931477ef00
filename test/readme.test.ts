import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { buildTestApp, testEngine } from './helper.ts'

const readme = readFileSync('README.md', 'utf8')

/** The curl calls of the README: path, body, printed answer. */
const CALLS = [...readme.matchAll(/^\$ curl -s localhost:8080(\S+) [^']*'content-type: application\/json'(?: \\\n)?\s+-d '([^']+)'\n(.+)$/gm)]

test('the README has its curl calls', () => {
  assert.equal(CALLS.length, readme.split('$ curl').length - 1)
  assert.equal(CALLS.length, 4)
})

for (const [, path, body, printed] of CALLS) {
  test(`curl ${path} ${body} answers what the README prints`, async (t) => {
    const app = await buildTestApp(t)
    const answer = await app.inject({ method: 'POST', url: path, headers: { 'content-type': 'application/json' }, body })
    if ((await testEngine()).name === 'native') assert.equal(answer.body, printed)
    else assert.deepEqual(rounded(answer.json()), rounded(JSON.parse(printed)))
  })
}

/** TensorFlow.js sums in another order than the native engine. */
function rounded (value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_key, part: unknown) => typeof part === 'number' ? part.toFixed(5) : part)
}
