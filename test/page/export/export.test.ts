import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { runInNewContext } from 'node:vm'
import { transform } from 'esbuild'
import fc from 'fast-check'
import { toCsv, toJson, toSafetensors } from '../../../page/src/export/answer.ts'
import type { Asked } from '../../../page/src/export/command.ts'
import { quote, toCurl } from '../../../page/src/export/curl.ts'
import { toPython } from '../../../page/src/export/python.ts'
import { toTypeScript } from '../../../page/src/export/typescript.ts'
import { append, createSeries, type Series } from '../../../page/src/series/series.ts'
import { inSlices } from '../../../page/src/series/slices.ts'
import { parseSafetensors } from '../../../src/tensor/safetensors.ts'
import { buildTestApp } from '../../support/app.ts'
import type { Closing } from '../../support/closing.ts'
import { takes } from '../../support/outside.ts'

const run = promisify(execFile)
const KEY = 'correct/horse=battery'
const env = { ...process.env, CELLSERVE_API_KEY: KEY }

const SUPPORT = [[1, 0, 0, 0], [0, 0.5, 0, -1e-7]]
const asked = (url: string): Asked => ({ model: 'matching-networks', url, request: { x: [[[1, 0, 0, 1], [0.1, 0.2, 0.3, 0.4]]], context: { support: SUPPORT }, parts: ['attention'] } })

describe('the request as a program', () => {
  const { model, request, url } = { ...asked('http://host:1/'), model: 'it\'s "a" model', request: { x: [[[0.5, -1]]], context: { 'a-b': "it's", c: null, ok: true } } }

  test('is a command of the shell', () => {
    assert.equal(toCurl({ model, request, url }, true), `curl -sS --fail-with-body 'http://host:1/models/it'\\''s%20%22a%22%20model/sequence' \\
  -H 'content-type: application/json' \\
  -H "authorization: Bearer $CELLSERVE_API_KEY" \\
  --data-binary '{"x":[[[0.5,-1]]],"context":{"a-b":"it'\\''s","c":null,"ok":true}}'
`)
    const long = toCurl({ model: 'm', url: 'http://host:1', request: { x: Array.from({ length: 50_000 }, (_, i) => [i]) } }, false)
    assert.match(long, /^curl -sS --fail-with-body 'http:\/\/host:1\/models\/m\/sequence' \\\n {2}-H 'content-type: application\/json' \\\n {2}--data-binary @- <<'JSON'\n\{"x":\[\[0\],.*\n\}?JSON\n$|\nJSON\n$/)
  })

  test('is a program of Python', () => {
    assert.equal(toPython({ model, request, url }, true), `import os

import requests

request = {
    "x": [[[0.5, -1]]],
    "context": { "a-b": "it's", "c": None, "ok": True }
}
answer = requests.post("http://host:1/models/it's%20%22a%22%20model/sequence", json=request, headers={"authorization": f"Bearer {os.environ['CELLSERVE_API_KEY']}"}, timeout=60)
if not answer.ok:
    raise ValueError(answer.json()["detail"])
print(answer.json())
`)
    assert.match(toPython({ model, request, url }, false), /^import requests\n.*, json=request, timeout=60\)\n/s)
  })

  test('is a program of TypeScript', () => {
    assert.equal(toTypeScript({ model, request, url }, true), `import { Client } from '@cellserve/client'

const client = new Client('http://host:1/', { apiKey: process.env.CELLSERVE_API_KEY })
const answer = await client.model('it\\'s "a" model').sequence({
  x: [[[0.5, -1]]],
  context: { 'a-b': 'it\\'s', c: null, ok: true }
})
console.log(answer)
`)
    assert.match(toTypeScript({ model, request, url }, false), /new Client\('http:\/\/host:1\/'\)/)
  })

  test('any text comes back from the shell as it was', async (t) => {
    const texts = fc.sample(fc.string({ unit: 'grapheme' }), 200).filter((text) => !text.includes('\0'))
    const { stdout } = await run('sh', [await written(t, 'texts.sh', `printf '%s\\0' ${[...texts, "it's", '$(x) `y` \\'].map(quote).join(' ')}`)])
    assert.deepEqual(stdout.split('\0').slice(0, -1), [...texts, "it's", '$(x) `y` \\'])
  })

  test('any JSON is in the TypeScript as it was', () => {
    fc.assert(fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), (request) => {
      const [, literal] = /\.sequence\(([^]*)\)\nconsole/.exec(toTypeScript({ model: 'm', url, request }, false)) ?? []
      assert.equal(JSON.stringify(runInNewContext(`(${literal})`)), JSON.stringify(request))
    }))
  })

  test('the TypeScript runs, and prints what the service answers', async (t) => {
    const app = await buildTestApp(t, '--api-key', KEY)
    const { code } = await transform(toTypeScript(asked(app.listeningOrigin), true), { loader: 'ts' })
    const there = pathToFileURL(resolve('clients/typescript/dist/client.js')).href
    const program = await written(t, 'program.mjs', `${code.replace('@cellserve/client', there)}\nconsole.log(JSON.stringify([answer.output.data, answer.parts.attention.data].map((numbers) => [...numbers])))`)
    const { stdout } = await run(process.execPath, [program], { env })
    const { output, parts: { attention } } = await ask(app.listeningOrigin)
    assert.deepEqual(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''), [output, attention].map((numbers) => numbers.flat(2).map(Math.fround)))
  })
})

describe('the request as a program of others', takes('curl, Python and requests'), () => {
  test('curl prints what the service answers, with a short body and a long one', async (t) => {
    const { listeningOrigin: url } = await buildTestApp(t, '--api-key', KEY)
    const { stdout } = await run('sh', ['-c', toCurl(asked(url), true)], { env })
    assert.deepEqual(JSON.parse(stdout), await ask(url))
    const long = { model: 'custom-lstm', url, request: { x: [Array.from({ length: 8000 }, (_, i) => [i / 8000, -i / 8000])], fields: ['h_out'] } }
    const answer: unknown = JSON.parse((await run('sh', [await written(t, 'command', toCurl(long, true))], { env })).stdout)
    assert.ok(typeof answer === 'object' && answer !== null && 'h_out' in answer)
  })

  test('Python prints what the service answers', async (t) => {
    const { listeningOrigin: url } = await buildTestApp(t, '--api-key', KEY)
    const { stdout } = await run(process.env.TEST_PYTHON ?? 'python3', ['-c', `${toPython(asked(url), true)}import json\nprint(json.dumps(answer.json()))`], { env })
    assert.deepEqual(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''), await ask(url))
  })

  test('any JSON is in the Python as it was', async (t) => {
    const requests = fc.sample(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), 200)
    const literals = requests.map((request) => /^request = ([^]*?)\nanswer = /m.exec(toPython({ model: 'm', url: 'http://host', request }, false))?.[1])
    const { stdout } = await run(process.env.TEST_PYTHON ?? 'python3', [await written(t, 'literals.py', `import json\nprint(json.dumps([${literals.join(', ')}]))`)])
    assert.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify(requests)))
  })
})

/** A file with this text, until the test ends. A program that stands on a command line may have 128 KiB at most. */
async function written (t: Closing, name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-export-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

async function ask (url: string): Promise<{ output: number[][][], parts: { attention: number[][][] } }> {
  const { request } = asked(url)
  const response = await fetch(`${url}/models/matching-networks/sequence`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: JSON.stringify(request)
  })
  assert.equal(response.status, 200)
  return JSON.parse(await response.text())
}

describe('the answer as a file', () => {
  const series = (name: string, size: number, numbers: readonly number[], labels?: readonly string[]): Series => {
    const made = createSeries(name, size, labels)
    append(made, numbers)
    return made
  }
  const all = [series('output', 2, [0.1, -0.14725989, 1e-7, 2]), series('attention', 3, [0.5, 0.25, 0.25, 0, 1, 0, 0, 0, 1], ['support 0', 'support 1', 'a "b", c']), series('y', 1, [3, 4])]

  test('is JSON as the service writes it', async () => {
    assert.equal((await inSlices(toJson(all))).join(''), '{"output":[[[0.1,-0.14725989],[1e-7,2]]],"y":[[[3],[4]]],"parts":{"attention":[[[0.5,0.25,0.25],[0,1,0],[0,0,1]]]}}\n')
    assert.equal((await inSlices(toJson([]))).join(''), '{}\n')
    assert.equal((await inSlices(toJson([all[1]]))).join(''), '{"parts":{"attention":[[[0.5,0.25,0.25],[0,1,0],[0,0,1]]]}}\n')
  })

  test('is CSV with a row per step, empty where a series has ended', async () => {
    assert.equal((await inSlices(toCsv(all))).join(''), [
      'step,output 0,output 1,attention support 0,attention support 1,"attention a ""b"", c",y',
      '0,0.1,-0.14725989,0.5,0.25,0.25,3',
      '1,1e-7,2,0,1,0,4',
      '2,,,0,0,1,',
      ''
    ].join('\r\n'))
  })

  test('is safetensors that the service reads', () => {
    const tensors = [...parseSafetensors(toSafetensors(all))].map(([name, { dtype, shape, bytes }]) => [name, dtype, shape, [...new Float32Array(bytes.slice().buffer)]])
    assert.deepEqual(tensors, [
      ['output', 'F32', [1, 2, 2], [0.1, -0.14725989, 1e-7, 2].map(Math.fround)],
      ['parts/attention', 'F32', [1, 3, 3], [0.5, 0.25, 0.25, 0, 1, 0, 0, 0, 1]],
      ['y', 'F32', [1, 2, 1], [3, 4]]
    ])
  })
})
