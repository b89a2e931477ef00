import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { closeTo } from './close.ts'
import { buildTestApp } from './helper.ts'

const run = promisify(execFile)

/** A Python with numpy, requests and safetensors. */
const python = process.env.CELLSERVE_PYTHON
const skip = python === undefined && 'CELLSERVE_PYTHON names no Python'

const openapi: { components: { schemas: { SafetensorsDocument: { description: string } } } } = JSON.parse(readFileSync('openapi/openapi.json', 'utf8'))

/** Where there is a Python program for users to copy, and what each of its numbers has to be. */
const PROGRAMS: ReadonlyArray<[where: string, text: string, url: string, x: number[][]]> = [
  ['the README', readFileSync('README.md', 'utf8'), '/sequence?return=last', [[0.5, -0.25], [0.1, 0.2]]],
  ['the OpenAPI document', openapi.components.schemas.SafetensorsDocument.description, '/step', [[0.5, -0.25], [1, 2]]]
]

for (const [where, text, url, x] of PROGRAMS) {
  test(`the Python of ${where} prints what the service answers`, { skip }, async (t) => {
    const app = await buildTestApp(t)
    const program = [...text.matchAll(/```python\n(.*?)```/gs)].map(([, code]) => code).find((code) => code.includes('localhost:8080'))
    assert.ok(program !== undefined)
    const { stdout } = await run(python ?? '', ['-c', program.replace('http://localhost:8080', app.listeningOrigin)])
    const { h_out: expected } = (await app.inject({ method: 'POST', url, body: { x } })).json()
    closeTo([...stdout.matchAll(/-?[\d.]+(?:e-?\d+)?/g)].map(([number]) => Number(number)), expected.flat())
  })
}
