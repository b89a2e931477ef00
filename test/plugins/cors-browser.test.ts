import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { buildTestApp } from '../support/app.ts'
import { browserFor, servePage, withoutBrowser } from '../support/browser.ts'

const SERVICE = 'cellserve.test'
const ALLOWED = 'app.test'
const OTHER = 'other.test'

describe('pages of other origins in a browser', { skip: withoutBrowser }, () => {
  const browser = browserFor(SERVICE, ALLOWED, OTHER)

  /** A service that allows one origin, and opens pages of either. */
  async function start (t: TestContext, ...flags: string[]) {
    const port = await servePage(t)
    const { listeningOrigin } = await buildTestApp(t, '--cors-origin', `http://${ALLOWED}:${port}`, ...flags)
    return {
      service: `http://${SERVICE}:${new URL(listeningOrigin).port}`,
      async open (host: string): Promise<Page> {
        const page = await browser().newPage()
        t.after(() => page.close())
        await page.goto(`http://${host}:${port}/`)
        return page
      }
    }
  }

  /** What a script of a page gets to see of a step. */
  async function step (page: Page, service: string, headers: Record<string, string> = {}) {
    return await page.evaluate(async ([url, headers]) => {
      try {
        const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: '{"x": [0.5, -0.25]}' })
        return { status: response.status, id: response.headers.get('x-request-id'), retryAfter: response.headers.get('retry-after'), body: await response.json() }
      } catch (error) {
        return { failure: String(error) }
      }
    }, [`${service}/step`, headers] as const)
  }

  test('one of an origin that is set steps a model, and reads which request it was', async (t) => {
    const { service, open } = await start(t, '--api-key', 'correct-horse')
    const page = await open(ALLOWED)
    const { status, id, body } = await step(page, service, { 'x-api-key': 'correct-horse', 'x-request-id': 'of-the-page' })
    assert.deepEqual([status, id, Object.keys(Object(body))], [200, 'of-the-page', ['h_out', 'c_out']])
    // What is refused can be read as well.
    const refused = await step(page, service)
    assert.deepEqual([refused.status, Object(refused.body).title], [401, 'Unauthorized'])
    assert.match(refused.id ?? '', /./)
  })

  test('it reads when to try again', async (t) => {
    const { service, open } = await start(t, '--rate-limit', '1')
    const page = await open(ALLOWED)
    let answer = await step(page, service)
    for (let i = 0; i < 20 && answer.status === 200; i++) answer = await step(page, service)
    assert.deepEqual([answer.status, answer.retryAfter], [429, '1'])
  })

  test('one of any other origin is refused by the browser', async (t) => {
    const { service, open } = await start(t)
    const page = await open(OTHER)
    const faults: string[] = []
    page.on('console', (message) => faults.push(message.text()))
    assert.deepEqual(await step(page, service), { failure: 'TypeError: Failed to fetch' })
    assert.match(faults.join('\n'), /blocked by CORS policy/)
    assert.equal((await step(await open(ALLOWED), service)).status, 200)
  })
})
