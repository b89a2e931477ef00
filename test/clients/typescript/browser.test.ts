import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { build } from 'esbuild'
import { buildTestApp } from '../../support/app.ts'
import { browserFor, servePage, withoutBrowser } from '../../support/browser.ts'

const KEY = 'correct/horse=battery'

/** What the page does; it has the bundle's `cellserve`. */
const PROGRAM = (url: string): string => `(async () => {
  const { Client, Problem, Tensor } = cellserve
  const client = new Client(${JSON.stringify(url)}, { apiKey: ${JSON.stringify(KEY)} })
  const model = client.model('custom-lstm')
  const x = [[0.5, -0.25], [0.1, 0.2]]
  const whole = [...(await model.sequence({ x: new Tensor(Float32Array.from(x.flat()), [1, 2, 2]) })).output.data]
  const chain = model.chain()
  const chained = []
  for (const row of x) chained.push(...(await chain.step({ x: [row] })).h_out.data)
  const streamed = []
  for await (const line of model.stream({ x: [x] })) streamed.push(...line.output?.data ?? [])
  const session = await model.session()
  const kept = [...(await session.step({ x: x[0] })).output.data]
  const connection = await session.connect()
  for await (const { output } of connection.steps([{ x: x[1] }])) kept.push(...output.data)
  connection.close()
  await session.delete()
  const problem = await model.step({ x: [[1]] }).catch((error) => error)
  return { whole, chained, streamed, kept, t: session.t, refused: problem instanceof Problem && [problem.status, problem.errors[0].path, typeof problem.requestId] }
})()`

describe('the client in a browser', { skip: withoutBrowser }, () => {
  const browser = browserFor('cellserve.test', 'app.test')

  test('a page of another origin steps, streams, and keeps a session', async (t) => {
    const origin = `http://app.test:${await servePage(t)}`
    const { listeningOrigin } = await buildTestApp(t, '--api-key', KEY, '--cors-origin', origin)
    const { outputFiles: [bundle] } = await build({ entryPoints: ['clients/typescript/src/client.ts'], bundle: true, minify: true, format: 'iife', globalName: 'cellserve', write: false })
    const page = await browser().newPage()
    t.after(() => page.close())
    await page.goto(`${origin}/`)
    await page.addScriptTag({ content: bundle.text })
    const { whole, chained, streamed, kept, t: taken, refused } = await page.evaluate<Record<string, unknown>>(PROGRAM(`http://cellserve.test:${new URL(listeningOrigin).port}`))
    assert.ok(Array.isArray(whole) && whole.length === 6)
    const rounded = (values: unknown): unknown => Array.isArray(values) && values.map((value) => Number(value).toFixed(6))
    for (const others of [chained, streamed, kept]) assert.deepEqual(rounded(others), rounded(whole))
    assert.deepEqual([taken, refused], [2, [422, '/x', 'string']])
  })
})
