import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { buildTestApp } from '../support/app.ts'
import { browserFor, withoutBrowser } from '../support/browser.ts'
import { writeModels } from '../support/models.ts'
import { customLstm, writeSafetensors } from '../support/safetensors.ts'

/** A browser treats plain HTTP on any other host than localhost otherwise. */
const HOST = 'cellserve.test'

describe('the reference in a browser', { skip: withoutBrowser }, () => {
  const browser = browserFor(HOST)

  /** The page that a browser comes to by the address of a service with one model of its own; and all that goes wrong there. */
  async function open (t: TestContext, ...flags: string[]): Promise<{ page: Page, faults: string[] }> {
    const models = await writeModels(t, {
      'mine/model.safetensors': writeSafetensors(customLstm(10, 24, 8)),
      'mine/config.json': '{"feedback": {"policy": "concat"}}'
    })
    const { listeningOrigin } = await buildTestApp(t, '--models', models, '--no-page', ...flags)
    const page = await browser().newPage()
    t.after(() => page.close())
    const faults: string[] = []
    page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) faults.push(message.text()) })
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('requestfailed', (request) => faults.push(`${request.url()}: ${request.failure()?.errorText ?? ''}`))
    await page.goto(`http://${HOST}:${new URL(listeningOrigin).port}/`)
    await page.locator('.opblock').first().waitFor()
    return { page, faults }
  }

  /** Executes an operation as it stands there, and tells what status the page shows. */
  async function execute (page: Page, operation: string): Promise<string> {
    const block = page.locator(`#${operation}`)
    if (!await block.locator('.opblock-body').isVisible()) await block.locator('.opblock-summary').click()
    // An earlier answer would be read in the place of this one.
    const clear = block.locator('button.btn-clear')
    if (await clear.isVisible()) await clear.click()
    await block.locator('button.execute').click()
    const status = block.locator('.live-responses-table .response-col_status').nth(1)
    await status.waitFor()
    return (await status.innerText()).trim()
  }

  test('/ leads to it if the page is switched off, nothing is missing, and every operation is answered as it stands there', async (t) => {
    const { page, faults } = await open(t)
    assert.match(page.url(), /\/docs\/$/)
    assert.equal(await page.title(), 'cellserve: API reference')
    const operations = await page.locator('.opblock').evaluateAll((blocks) => blocks.map(({ id }) => id))
    assert.equal(operations.length, 18)
    // Nobody knows the id of a session before it is created, and the page opens no WebSocket.
    const answered = operations.filter((operation) => !/-(?:(?:get|step|sequence|delete)Session|streamModel)$/.test(operation))
    assert.equal(answered.length, 13)
    for (const operation of answered) assert.equal(await execute(page, operation), operation.endsWith('createSession') ? '201' : '200', operation)
    assert.deepEqual(faults, [])
  })

  test('where keys are set it opens without one, and takes one', async (t) => {
    const { page, faults } = await open(t, '--api-key', 'correct-horse')
    assert.deepEqual(faults, [])
    assert.equal(await execute(page, 'operations-cells-step'), '401')
    await page.locator('.auth-wrapper .authorize').first().click()
    await page.locator('.auth-container input').first().fill('correct-horse')
    await page.locator('.auth-container button.authorize').first().click()
    await page.locator('.auth-btn-wrapper .btn-done').first().click()
    assert.equal(await execute(page, 'operations-cells-step'), '200')
  })
})
