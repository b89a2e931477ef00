import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { importModel } from '../src/cli/import/import.ts'
import { closeTo } from './support/close.ts'
import { buildTestApp, startService, testEngine } from './support/app.ts'
import { onlyFull } from './support/full.ts'
import { writeModels } from './support/models.ts'
import { customLstm, writeSafetensors } from './support/safetensors.ts'

const run = promisify(execFile)

const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...readdirSync('docs', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]

for (const document of DOCUMENTS) {
  const text = readFileSync(document, 'utf8')

  describe(document, () => {
    test('links lead to files that are there', () => {
      for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        assert.ok(existsSync(resolve(dirname(document), target)), target)
      }
    })

    // The calls to the demo models: path, headers, body, printed answer.
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

/** TensorFlow.js sums in another order than the native engine. A token has the bits of all numbers, so only its length is the same. */
function rounded (lines: string): unknown {
  return lines.trimEnd().split('\n').map((line): unknown => JSON.parse(line, (_key, part: unknown) => {
    if (typeof part === 'number') return part.toFixed(5)
    return typeof part === 'string' && /^[\w-]{64,}$/.test(part) ? part.length : part
  }))
}

interface Program {
  readonly language: string
  readonly code: string
  /** The lines up to the next program. */
  readonly rest: string
}

const programsOf = (text: string): Program[] => [...text.matchAll(/^```(python|js)\n(.*?)^```\n(.*?)(?=^```(?:python|js)\n|$(?![^]))/gms)]
  .map(([, language, code, rest]) => ({ language, code, rest }))

/** A program that writes an ONNX file and prints what ONNX Runtime computes with it. */
function lstmOnnx (file: string): string {
  return readFileSync('test/support/lstm_onnx.py', 'utf8').replaceAll('model.onnx', file)
}

/** Why a program is skipped, or false: it takes too long for the quick suite, or the Python that `TEST_PYTHON` names lacks a package that it imports. */
async function missing ({ language, code }: Pick<Program, 'language' | 'code'>, ...more: readonly string[]): Promise<string | false> {
  if (language === 'js') return onlyFull('starts a process').skip
  if (language !== 'python') return false
  const python = process.env.TEST_PYTHON
  if (python === undefined) return 'TEST_PYTHON names no Python'
  const packages = [...more, ...[...code.matchAll(/^(?:import|from) (\w+)/gm)].map(([, name]) => name)]
  try {
    await run(python, ['-c', `import ${packages.join(', ')}`])
    return false
  } catch {
    return `${python} does not have all of ${packages.join(', ')}`
  }
}

/** Runs a program in this folder, and returns what it prints. */
async function execute ({ language, code }: Pick<Program, 'language' | 'code'>, cwd: string): Promise<string> {
  const [command, ...args] = language === 'js' ? [process.execPath, '--input-type=module', '-e'] : [process.env.TEST_PYTHON ?? '', '-c']
  return (await run(command, [...args, code], { cwd })).stdout
}

/** A folder that is removed after the tests; in the repository, whose packages the JavaScript imports. */
function buildFolder (...subfolders: readonly string[]): string {
  mkdirSync('build', { recursive: true })
  const folder = mkdtempSync('build/docs-')
  for (const name of subfolders) mkdirSync(join(folder, name))
  after(() => { rmSync(folder, { recursive: true }) })
  return folder
}

const numbersOf = (printed: string): number[] => [...printed.matchAll(/-?\d[\d.]*(?:e-?\d+)?/g)].map(([number]) => Number(number))

const openapi: { components: { schemas: { SafetensorsDocument: { description: string } } } } = JSON.parse(readFileSync('openapi/openapi.json', 'utf8'))

describe('programs that call the service print what it answers', async () => {
  for (const [name, text, url, x] of [
    ['docs/api.md', readFileSync('docs/api.md', 'utf8'), '/sequence?return_sequences=false', [[0.5, -0.25], [0.1, 0.2]]],
    ['the OpenAPI document', openapi.components.schemas.SafetensorsDocument.description, '/step', [[0.5, -0.25], [1, 2]]]
  ] as const) {
    const [program, ...others] = programsOf(`${text}\n`)
    test(`${name} has one`, () => assert.deepEqual([program.language, others], ['python', []]))
    test(name, { skip: await missing(program) }, async (t) => {
      const app = await buildTestApp(t)
      const stdout = await execute({ ...program, code: program.code.replace('http://localhost:8080', app.listeningOrigin) }, '.')
      const { h_out: expected } = (await app.inject({ method: 'POST', url, body: { x } })).json()
      closeTo(numbersOf(stdout), expected.flat())
    })
  }
})

describe('programs of docs/sessions.md print what they say', async () => {
  const blocks = [...readFileSync('docs/sessions.md', 'utf8').matchAll(/^```(sh|python)\n(.*?)^```\n\n```text\n(.*?)^```/gms)]
  test('all of them are found', () => assert.deepEqual(blocks.map(([, language]) => language), ['sh', 'python', 'python']))
  for (const [, language, code, printed] of blocks) {
    test(language, { skip: await missing({ language, code }) }, async (t) => {
      const { listeningOrigin: origin } = await buildTestApp(t)
      const here = code.replaceAll('ws://localhost:8080', origin.replace('http', 'ws')).replaceAll(/(http:\/\/)?localhost:8080/g, origin)
      const stdout = language === 'sh' ? (await run('sh', ['-c', here])).stdout : await execute({ language, code: here }, '.')
      if ((await testEngine()).name === 'native') assert.equal(stdout, printed)
      else closeTo(numbersOf(stdout), numbersOf(printed))
    })
  }
})

describe('programs of docs/openinference.md print what they say', async () => {
  const blocks = [...readFileSync('docs/openinference.md', 'utf8').matchAll(/^```python\n(.*?)^```\n\n```text\n(.*?)^```/gms)]
  test('all of them are found', () => assert.equal(blocks.length, 3))
  for (const [, code, printed] of blocks) {
    const program = { language: 'python', code }
    test(/^(?:import|from) (?:tritonclient.*|kserve)/m.exec(code)?.[0] ?? 'python', { skip: await missing(program) }, async (t) => {
      // Its own, because one of the programs prints what has been counted.
      const { app: { listeningOrigin: origin } } = await startService(t)
      const stdout = await execute({ ...program, code: code.replace('http://localhost:8080', origin).replace('localhost:8080', new URL(origin).host) }, '.')
      if ((await testEngine()).name === 'native') assert.equal(stdout, printed)
      else closeTo(numbersOf(stdout), numbersOf(printed))
    })
  }
})

describe('programs of docs/moving.md', async () => {
  const [triton, moved, ...others] = programsOf(readFileSync('docs/moving.md', 'utf8'))
  test('all of them are found', () => assert.deepEqual(others, []))

  test('of a client of Triton\'s prints what it says', { skip: await missing(triton) }, async (t) => {
    const { listeningOrigin: origin } = await buildTestApp(t)
    const [, printed] = /^\n```text\n(.*?)^```/ms.exec(triton.rest) ?? []
    closeTo(numbersOf(await execute({ ...triton, code: triton.code.replace('localhost:8080', new URL(origin).host) }, '.')), numbersOf(printed ?? ''))
  })

  const folder = buildFolder('my-models')
  test('that exports a model prints what the service answers', { skip: await missing(moved) }, async (t) => {
    const printed = await execute(moved, folder)
    const app = await buildTestApp(t, '--models', join(folder, 'my-models'))
    const [, url, body] = /^curl -s localhost:8080(\S+) -H 'content-type: application\/json' \\\n +-d '(.+)'$/m.exec(moved.rest) ?? []
    const { y: [[answered]] } = (await app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' }, body })).json()
    closeTo(answered, numbersOf(printed))

    const { session } = (await app.inject({ method: 'POST', url: '/models/decoder/sessions', body: {} })).json()
    await app.inject({ method: 'POST', url: `/sessions/${session}/step`, body: { x: [0.5, -0.25] } })
    const { y } = (await app.inject({ method: 'POST', url: `/sessions/${session}/step`, body: { x: [0.1, 0.2] } })).json()
    closeTo(y, numbersOf(printed))
  })
})

describe('the program of the README writes a model that is served by default', async () => {
  const [program, ...others] = programsOf(readFileSync('README.md', 'utf8'))
  test('it is the only one', () => assert.deepEqual(others, []))
  const folder = buildFolder()
  test('it does', { skip: await missing(program) }, async (t) => {
    await execute(program, folder)
    const app = await buildTestApp(t, '--models', join(folder, 'my-models'))
    const { models: [{ name, sizes, feedback }] } = (await app.inject('/models')).json()
    assert.deepEqual([name, sizes, feedback.policy], ['mine', { I: 10, Hi: 16, Ho: 8 }, 'repeat'])
    const { statusCode } = await app.inject({ method: 'POST', url: '/sequence', body: { x: new Array(10).fill(0.1), steps: 2 } })
    assert.equal(statusCode, 200)
  })
})

describe('programs of docs/models.md that write a model print what the service answers with it', async () => {
  const programs = programsOf(readFileSync('docs/models.md', 'utf8'))
  test('all of them are found', () => assert.deepEqual(programs.map(({ language }) => language), ['python', 'python', 'python', 'python', 'js', 'python']))
  const [whole, ...cells] = programs
  const text = buildFolder('my-models')
  test('a whole model', { skip: await missing(whole) }, async (t) => {
    const printed = await execute(whole, text)
    const app = await buildTestApp(t, '--models', join(text, 'my-models'))
    const { y: [answered] } = (await app.inject({ method: 'POST', url: '/models/text/sequence', body: { ids: [1, 6], return_sequences: false, fields: ['y'] } })).json()
    closeTo(answered, numbersOf(printed))
  })
  for (const program of cells) {
    const file = /my-models\/(\w+)\.safetensors/.exec(program.code)?.[1] ?? ''
    const folder = buildFolder('my-models')
    // The file that the ONNX program reads comes from a program that prints what ONNX Runtime computes with it.
    const before = file === 'onnx' ? { language: 'python', code: lstmOnnx('model.onnx') } : undefined
    const skip = await missing(program) || (before !== undefined && await missing(before))
    test(file, { skip }, async (t) => {
      const expected = before === undefined ? '' : await execute(before, folder)
      const printed = await execute(program, folder)
      const app = await buildTestApp(t, '--models', join(folder, 'my-models'))
      const { h_out: answered } = (await app.inject({ method: 'POST', url: `/models/${file}/step`, body: { x: [0.5, -0.25] } })).json()
      closeTo(answered, numbersOf(expected + printed))
    })
  }
})

describe('programs of docs/importing.md that save a model print what the service answers with what is imported', async () => {
  const programs = programsOf(readFileSync('docs/importing.md', 'utf8'))
  test('all of them are found', () => assert.deepEqual(programs.map(({ language }) => language), ['python', 'js', 'python', 'python']))
  for (const program of programs) {
    const [, file] = /^```sh\nnpx cellserve import (\S+)\n```\n/m.exec(program.rest) ?? []
    const folder = buildFolder()
    // PyTorch's exporter needs onnx, too, and so does the writer of the file that one program reads.
    const skip = await missing(program, ...file.endsWith('.onnx') ? ['onnx'] : [])
    test(file, { skip }, async (t) => {
      if (file === 'lstm.onnx') await execute({ language: 'python', code: lstmOnnx(file) }, folder)
      const printed = await execute(program, folder)
      await importModel(join(folder, file), join(folder, 'my-models'), 'imported')
      const app = await buildTestApp(t, '--models', join(folder, 'my-models'))
      const { output: [answered] } = (await app.inject({ method: 'POST', url: '/sequence', body: { x: [[0.5, -0.25]] } })).json()
      closeTo(answered, numbersOf(printed))
    })
  }
})

// From top to bottom, as a reader would: some programs write models, some call the service, and check what it answers.
describe('programs of docs/pytorch.md agree with PyTorch', async () => {
  const programs = programsOf(readFileSync('docs/pytorch.md', 'utf8'))
  test('all of them are found', () => assert.equal(programs.length, 5))
  const folder = buildFolder('my-models')
  let models: readonly string[] = []
  for (const [number, program] of programs.entries()) {
    const asks = program.code.includes('localhost:8080')
    test(`program ${number + 1}`, { skip: await missing(program) }, async (t) => {
      if (asks) {
        const app = await buildTestApp(t, ...models)
        await execute({ ...program, code: program.code.replaceAll('http://localhost:8080', app.listeningOrigin) }, '.')
        return
      }
      const [, field, printed] = /^(\w+) (.*)\n$/.exec(await execute(program, folder)) ?? []
      models = ['--models', join(folder, 'my-models')]
      const [, url, body] = /^```sh\ncurl -s localhost:8080(\S+) -H 'content-type: application\/json'(?: \\\n)? +-d '(.+)'\n```\n/m.exec(program.rest) ?? []
      assert.equal(field === undefined, url === undefined, 'a program that prints has a call that answers the same')
      if (url === undefined) return
      const app = await buildTestApp(t, ...models)
      const answer = (await app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' }, body })).json()
      closeTo(answer[field], numbersOf(printed))
    })
  }
})

test('each feedback.mjs of docs/policies.md feeds back what it says', onlyFull('starts processes'), async (t) => {
  const [{ code }, mean, ...others] = programsOf(readFileSync('docs/policies.md', 'utf8'))
  assert.deepEqual(others, [])
  const cell = writeSafetensors(customLstm(1, 3, 2))
  const folder = await writeModels(t, {
    'mine/model.safetensors': writeSafetensors(customLstm(1, 4, 2)),
    'mine/config.json': '{"feedback": {"policy": "module"}}',
    'mine/feedback.mjs': code,
    'mean/model.safetensors': cell,
    'mean/config.json': '{"feedback": {"policy": "module"}}',
    'mean/feedback.mjs': mean.code,
    'given/model.safetensors': cell,
    'given/config.json': '{"feedback": {"policy": "concat"}}'
  })
  const app = await buildTestApp(t, '--models', folder)
  const { h_out: h, h_next: next } = (await app.inject({ method: 'POST', url: '/models/mine/sequence', body: { x: [[1]], context: { gain: 2 } } })).json()
  closeTo(next, [...h, ...h.map((value: number) => 2 * value)])

  const x = [[2], [4], [9]]
  const outputs = async (name: string, context?: object): Promise<number[][]> =>
    (await app.inject({ method: 'POST', url: `/models/${name}/sequence`, body: { x, context } })).json().output
  assert.deepEqual(await outputs('mean'), await outputs('given', { vectors: [[[2], [3], [5]]] }))
})
