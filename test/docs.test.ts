import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { closeTo } from './support/close.ts'
import { buildTestApp, testEngine } from './support/app.ts'

const run = promisify(execFile)

const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', ...readdirSync('docs').filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]

for (const document of DOCUMENTS) {
  const text = readFileSync(document, 'utf8')

  describe(document, () => {
    test('links lead to files that are there', () => {
      for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        assert.ok(existsSync(resolve(dirname(document), target)), target)
      }
    })

    // Of calls to the demo models: path, headers, body, printed answer.
    const calls = [...text.matchAll(/^\$ curl -sN? localhost:8080(\S+)((?: -H '[^']+')+)(?: \\\n)?\s+-d '([^']+)'\n((?:.+\n)+?)(?=```|\$)/gm)]
    test('every curl call is understood', () => assert.equal(calls.length, [...text.matchAll(/^\$ curl -sN? localhost/gm)].length))

    for (const [, path, flags, body, printed] of calls) {
      test(`curl ${path} ${body} answers what is printed`, async (t) => {
        const app = await buildTestApp(t)
        const headers = Object.fromEntries([...flags.matchAll(/'([^:]+): ([^']+)'/g)].map(([, name, value]) => [name, value]))
        const answer = await app.inject({ method: 'POST', url: path, headers, body })
        if ((await testEngine()).name === 'native') assert.equal(answer.body.trimEnd(), printed.trimEnd())
        else assert.deepEqual(rounded(answer.body), rounded(printed))
      })
    }
  })
}

/** TensorFlow.js sums in another order than the native engine. */
function rounded (lines: string): unknown {
  return lines.trimEnd().split('\n').map((line): unknown => JSON.parse(line, (_key, part: unknown) => typeof part === 'number' ? part.toFixed(5) : part))
}

/** Why a Python program is skipped that needs these packages, or false. */
async function withoutPython (...packages: string[]): Promise<string | false> {
  const python = process.env.TEST_PYTHON
  if (python === undefined) return 'TEST_PYTHON names no Python'
  try {
    await run(python, ['-c', `import ${packages.join(', ')}`])
    return false
  } catch {
    return `${python} has not all of ${packages.join(', ')}`
  }
}

const numbersOf = (printed: string): number[] => [...printed.matchAll(/-?\d[\d.]*(?:e-?\d+)?/g)].map(([number]) => Number(number))

const openapi: { components: { schemas: { SafetensorsDocument: { description: string } } } } = JSON.parse(readFileSync('openapi/openapi.json', 'utf8'))

describe('programs that call the service print what it answers', async () => {
  const skip = await withoutPython('numpy', 'requests', 'safetensors')
  for (const [where, text, url, x] of [
    ['the README', readFileSync('README.md', 'utf8'), '/sequence?return=last', [[0.5, -0.25], [0.1, 0.2]]],
    ['the OpenAPI document', openapi.components.schemas.SafetensorsDocument.description, '/step', [[0.5, -0.25], [1, 2]]]
  ] as const) {
    test(where, { skip }, async (t) => {
      const app = await buildTestApp(t)
      const program = [...text.matchAll(/```python\n(.*?)```/gs)].map(([, code]) => code).find((code) => code.includes('localhost:8080'))
      assert.ok(program !== undefined)
      const { stdout } = await run(process.env.TEST_PYTHON ?? '', ['-c', program.replace('http://localhost:8080', app.listeningOrigin)])
      const { h_out: expected } = (await app.inject({ method: 'POST', url, body: { x } })).json()
      closeTo(numbersOf(stdout), expected.flat())
    })
  }
})

describe('programs that write a model print what the service answers with it', async () => {
  const programs = [...readFileSync('docs/models.md', 'utf8').matchAll(/```(python|js)\n(.*?)```/gs)]
  test('all of them are found', () => assert.deepEqual(programs.map(([, language]) => language), ['python', 'python', 'python', 'js']))
  for (const [, language, program] of programs) {
    const file = /models\/(\w+)\.safetensors/.exec(program)?.[1] ?? ''
    const packages = [...program.matchAll(/^(?:import|from) (\w+)/gm)].map(([, name]) => name)
    const skip = language === 'python' && await withoutPython(...packages)
    test(file, { skip }, async (t) => {
      await mkdir('build', { recursive: true })
      // In the repository, whose packages the JavaScript imports.
      const folder = await mkdtemp('build/docs-')
      t.after(() => rm(folder, { recursive: true }))
      await mkdir(join(folder, 'models'))
      const [command, ...args] = language === 'js' ? [process.execPath, '--input-type=module', '-e'] : [process.env.TEST_PYTHON ?? '', '-c']
      const { stdout } = await run(command, [...args, program], { cwd: folder })
      const app = await buildTestApp(t, '--models', join(folder, 'models'))
      const { h_out: answered } = (await app.inject({ method: 'POST', url: `/models/${file}/step`, body: { x: [0.5, -0.25] } })).json()
      closeTo(numbersOf(stdout), answered)
    })
  }
})
