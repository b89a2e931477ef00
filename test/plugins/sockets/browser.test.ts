import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { buildTestApp } from '../../support/app.ts'
import { browserFor, servePage, withoutBrowser } from '../../support/browser.ts'
import { until } from '../../support/until.ts'

const HOST = 'cellserve.test'
const KEY = 'correct/horse=battery'

describe('a WebSocket in a browser', { skip: withoutBrowser }, () => {
  const browser = browserFor(HOST, 'other.test')
  const [, program] = /```js\n(.*?)```/s.exec(readFileSync('docs/sessions.md', 'utf8')) ?? []

  test('the program of docs/sessions.md prints its steps', async (t) => {
    const { listeningOrigin } = await buildTestApp(t, '--api-key', KEY)
    const { port } = new URL(listeningOrigin)
    const page = await browser().newPage()
    t.after(() => page.close())
    const printed: string[] = []
    page.on('console', (message) => printed.push(message.text()))
    // The page of the reference needs no key, and lets scripts connect to its own origin.
    await page.goto(`http://${HOST}:${port}/docs/`)
    await page.evaluate((program ?? '').replace('localhost:8080', `${HOST}:${port}`).replace('YOUR-KEY', KEY))
    await until(() => printed.length >= 2, 'both answers')
    assert.equal(printed[0], '{"t":1,"output":[-0.10926891,-0.067780614,-0.11896699]}')
    assert.deepEqual(printed[1].split(',').map((number) => Number(Number(number).toFixed(6))), [-0.14726, -0.115129, -0.129846])
  })

  test('a page of another origin opens one if --cors-origin names it', async (t) => {
    const port = await servePage(t)
    const page = await browser().newPage()
    t.after(() => page.close())
    const origin = `http://other.test:${port}`
    await page.goto(`${origin}/`)
    for (const [flags, seen] of [[[], '1006'], [['--cors-origin', origin], 'open']] as const) {
      const { listeningOrigin } = await buildTestApp(t, ...flags)
      const open = await page.evaluate(async (url) => await new Promise<string>((resolve) => {
        const socket = new WebSocket(url)
        socket.onopen = () => resolve('open')
        socket.onclose = ({ code }) => resolve(String(code))
      }), `ws://${HOST}:${new URL(listeningOrigin).port}/models/custom-lstm/stream`)
      assert.equal(open, seen)
    }
  })
})
