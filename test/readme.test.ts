import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { buildTestApp, testEngine } from './helper.ts'

const readme = readFileSync('README.md', 'utf8')

/** The curl calls of the README: path, headers, body, printed answer. */
const CALLS = [...readme.matchAll(/^\$ curl -sN? localhost:8080(\S+)((?: -H '[^']+')+)(?: \\\n)?\s+-d '([^']+)'\n((?:.+\n)+?)```/gm)]

test('the README has its curl calls', () => {
  assert.equal(CALLS.length, readme.split('$ curl').length - 1)
  assert.equal(CALLS.length, 5)
})

for (const [, path, flags, body, printed] of CALLS) {
  test(`curl ${path} ${body} answers what the README prints`, async (t) => {
    const app = await buildTestApp(t)
    const headers = Object.fromEntries([...flags.matchAll(/'([^:]+): ([^']+)'/g)].map(([, name, value]) => [name, value]))
    const answer = await app.inject({ method: 'POST', url: path, headers, body })
    if ((await testEngine()).name === 'native') assert.equal(answer.body.trimEnd(), printed.trimEnd())
    else assert.deepEqual(rounded(answer.body), rounded(printed))
  })
}

/** TensorFlow.js sums in another order than the native engine. */
function rounded (lines: string): unknown {
  return lines.trimEnd().split('\n').map((line): unknown => JSON.parse(line, (_key, part: unknown) => typeof part === 'number' ? part.toFixed(5) : part))
}
