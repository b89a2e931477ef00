import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import axe from 'axe-core'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { browserFor, withoutBrowser } from '../support/browser.ts'
import { DEMO, serveAll } from './serving.ts'

/** A browser treats plain HTTP on any other host than localhost otherwise. */
const HOST = 'cellserve.test'
const KEY = 'correct-horse'

describe('the page in a browser', { skip: withoutBrowser, concurrency: 2 }, () => {
  const browser = browserFor(HOST)

  let app: Awaited<ReturnType<typeof serveAll>>
  const ends: Array<() => unknown> = []
  before(async () => {
    app = await serveAll({ after (close) { ends.unshift(close) } })
  })
  after(async () => { for (const end of ends) await end() })

  interface Opened {
    readonly page: Page
    /** All that went wrong there: messages of the console, files that are missing, requests to other hosts. */
    readonly faults: string[]
  }

  /** The page, in a browser of its own. */
  async function open (t: TestContext, { service = app, hash = '', ...options }: BrowserContextOptions & { service?: typeof app, hash?: string } = {}): Promise<Opened> {
    const url = `http://${HOST}:${new URL(service.listeningOrigin).port}/`
    const context = await browser().newContext({ reducedMotion: 'reduce', ...options })
    t.after(() => context.close())
    const page = await context.newPage()
    const faults: string[] = []
    page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) faults.push(message.text()) })
    page.on('pageerror', (error) => faults.push(error.stack ?? error.message))
    page.on('request', (request) => { if (!/^(?:blob:)?http:\/\/cellserve\.test:/.test(request.url())) faults.push(request.url()) })
    page.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText ?? ''
      // Chromium calls a stream that was read to its end aborted, if its page lets go of it at once.
      if (reason !== 'net::ERR_ABORTED') faults.push(`${request.url()}: ${reason}`)
    })
    await page.goto(url + hash)
    return { page, faults }
  }

  const choose = (page: Page, model: string) => page.getByRole('navigation', { name: 'Models' }).getByRole('button', { name: model }).click()
  const said = (page: Page, text: RegExp) => page.locator('.news').filter({ hasText: text }).waitFor()
  const run = async (page: Page, done: RegExp = /^\d+ steps in \d+ ms\.$/): Promise<void> => {
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await said(page, done)
  }
  /** The first steps of the series whose tab is chosen, as the page's table has them once it is drawn. */
  async function valuesOf (page: Page): Promise<number[][]> {
    const values = await page.waitForFunction(() => {
      const details = document.querySelector('.answer details')
      if (!(details instanceof HTMLDetailsElement)) return undefined
      details.open = true
      const name = document.querySelector('[role=tab][aria-selected=true]')?.textContent
      if (details.querySelector('caption')?.textContent?.startsWith(`${name}: `) !== true) return undefined
      return [...details.querySelectorAll('tbody tr')].map((row) => [...row.querySelectorAll('td')].map(({ textContent }) => Number(textContent)))
    })
    return await values.jsonValue() ?? assert.fail()
  }
  /** What axe finds, in a line each. */
  async function findings (page: Page): Promise<string[]> {
    await page.evaluate(axe.source)
    const violations: Array<{ id: string, nodes: Array<{ html: string, failureSummary: string }> }> = await page.evaluate('axe.run().then(({ violations }) => violations)')
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}: ${failureSummary}`))
  }
  test('shows what is served, and asks no other host', async (t) => {
    const { page, faults } = await open(t)
    await page.getByRole('button', { name: 'Run', exact: true }).waitFor()
    t.diagnostic(`usable ${Math.round(await page.evaluate(() => performance.now()))} ms after the navigation began`)
    assert.equal(await page.title(), 'cellserve')
    for (const name of DEMO) {
      await choose(page, name)
      await page.getByRole('heading', { level: 2, name }).waitFor()
      await page.getByRole('img', { name: `The wiring of ${name}` }).waitFor()
    }
    assert.deepEqual(faults, [])
  })

  test('runs each model as it opens, and shows the numbers that the service answers', async (t) => {
    const { page, faults } = await open(t)
    for (const name of [...DEMO, 'speller', 'dreamer', 'luong']) {
      await choose(page, name)
      const asked = page.waitForRequest((request) => request.url().endsWith('/sequence'))
      await run(page, /^48 steps in \d+ ms\.$/)
      const body = (await asked).postData() ?? assert.fail()
      const { output, y, parts = {} } = (await app.inject({ method: 'POST', url: `/models/${name}/sequence`, headers: { 'content-type': 'application/json' }, body })).json()
      const answered: Record<string, number[][][]> = { output, ...(y !== undefined && { y }), ...parts }
      const tabs = page.getByRole('tablist', { name: 'Series' }).getByRole('tab')
      assert.deepEqual((await tabs.allInnerTexts()).sort(), Object.keys(answered).sort())
      for (const series of Object.keys(answered)) {
        await page.getByRole('tab', { name: series, exact: true }).click()
        const shown = await valuesOf(page)
        // A part that has an entry more than there are steps is shown as its steps have made it.
        const [row] = answered[series]
        assert.deepEqual(shown, row.slice(row.length - 48).slice(0, shown.length).map((vector) => vector.slice(0, 12)), `${name}: ${series}`)
        assert.equal(shown.length, 20)
      }
    }
    assert.deepEqual(faults, [])
  })

  test('takes steps over a WebSocket that come to the same', async (t) => {
    const { page, faults } = await open(t, { hash: '#model=attention-decoder' })
    await run(page)
    const whole = await valuesOf(page)
    await page.getByRole('button', { name: 'Step', exact: true }).click()
    await said(page, /^Step 1 of 48\.$/)
    await page.getByRole('button', { name: 'Next step' }).click()
    await said(page, /^Step 2 of 48\.$/)
    await page.getByRole('button', { name: 'Ten steps' }).click()
    await said(page, /^Step 12 of 48\.$/)
    assert.deepEqual(await valuesOf(page), whole.slice(0, 12))
    await page.getByRole('button', { name: 'Stop' }).click()
    await said(page, /^Stopped after 12 steps\.$/)
    // Whole networks of both directions have no steps.
    await choose(page, 'bidirectional-lstm')
    assert.ok(await page.getByRole('button', { name: 'Step', exact: true }).isDisabled())
    assert.deepEqual(faults, [])
  })

  test('a long answer is shown while it comes, and can be stopped', async (t) => {
    const { page, faults } = await open(t)
    await page.getByText('Initial state and steps').click()
    await page.getByLabel('x', { exact: true }).fill('0.5, -0.25')
    await page.getByLabel('steps', { exact: true }).fill('60000')
    // What the page has said, and whether it then showed the answer: a test that looks now and then might come too late.
    await page.evaluate(() => {
      const seen: string[] = []
      new MutationObserver(() => {
        const text = document.querySelector('.news')?.textContent ?? ''
        const drawn = document.querySelector('.answer canvas') !== null
        seen.push(`${text} ${drawn}`)
        document.body.dataset.seen = [...new Set(seen)].join('|')
      }).observe(document.body, { subtree: true, childList: true, characterData: true })
    })
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await said(page, /^60000 steps in \d+ ms\.$/)
    assert.match(await page.evaluate(() => document.body.dataset.seen ?? ''), /The answer is streaming in\. true/)
    await valuesOf(page)
    assert.match(await page.locator('.values caption').innerText(), / of 60000,/)
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await page.getByRole('button', { name: 'Stop' }).click()
    await said(page, /^Stopped after \d+ steps\.$/)
    assert.ok(await page.getByRole('button', { name: 'Stop' }).isHidden())
    assert.deepEqual(faults, [])
  })

  test('what is wrong with a request is said beside its field, until it is changed', async (t) => {
    const { page, faults } = await open(t, { hash: '#model=matching-networks' })
    const x = page.getByLabel('x', { exact: true })
    const fault = (text: string | RegExp) => page.getByRole('alert').filter({ hasText: text })
    await x.fill('1, 2, 3, 4\n5, six, 7, 8')
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await fault('Line 2: “six” is not a number.').waitFor()
    assert.equal(await x.getAttribute('aria-invalid'), 'true')
    await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA')
    assert.deepEqual(faults, [])

    await x.fill('1, 2, 3, 4\n5, 6, 7')
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await fault(/^Step 1 \(line 2\): ragged: has 3 numbers, but the first has 4$/).waitFor()
    await x.fill('1, 2, 3, 4')
    assert.equal(await x.getAttribute('aria-invalid'), 'false')
    await page.getByLabel('support', { exact: true }).fill('1, 2')
    await page.getByRole('button', { name: 'Run', exact: true }).click()
    await fault(/^expected vectors of 4 numbers, got 2$/).waitFor()
    assert.deepEqual(await findings(page), [])
    // A browser says of each answer that is a refusal that it is one.
    assert.deepEqual(faults.filter((each) => !/\b422\b/.test(each)), [])
  })

  test('takes files, drawings and random numbers', async (t) => {
    const { page, faults } = await open(t, { hash: '#model=wave' })
    const x = page.getByLabel('x', { exact: true })
    await page.getByLabel('File for x').setInputFiles({ name: 'wave.csv', mimeType: 'text/csv', buffer: Buffer.from('value\n0.5\n-0.5\n') })
    await run(page, /^2 steps/)
    await page.getByLabel('How many random entries for x').fill('7')
    await page.getByRole('button', { name: 'Fill x with random numbers' }).click()
    await run(page, /^7 steps/)
    await page.getByText('Draw it').click()
    const box = await page.getByRole('img', { name: 'Drawing of the sequence' }).boundingBox() ?? assert.fail()
    await page.mouse.move(box.x + 1, box.y + box.height - 2)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width - 2, box.y + 2, { steps: 5 })
    await page.mouse.up()
    const drawn = (await x.inputValue()).split('\n').map(Number)
    assert.equal(drawn.length, 64)
    assert.ok(drawn[0] < -0.9 && drawn[63] > 0.9 && drawn.every((value, i) => i === 0 || value >= drawn[i - 1]), drawn.join())
    await run(page, /^64 steps/)
    await x.evaluate((field) => {
      const dropped = new DataTransfer()
      dropped.items.add(new File(['{"x": [[[1], [2], [3]]]}'], 'request.json'))
      field.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: dropped }))
    })
    await page.waitForFunction(() => document.querySelector('textarea')?.value.startsWith('{'))
    await run(page, /^3 steps/)
    assert.deepEqual(faults, [])
  })

  test('a link holds the request, and a run can be compared with an earlier one', async (t) => {
    const { page, faults } = await open(t, { hash: '#model=gru' })
    await page.getByLabel('x', { exact: true }).fill('1, 2, 3\n4, 5, 6')
    await run(page)
    const [first] = await valuesOf(page)
    await page.getByRole('button', { name: 'Link' }).click()
    const link = await page.getByLabel('A link to this request').inputValue()
    assert.equal(page.url(), link)
    const other = await page.context().newPage()
    await other.goto(link)
    await other.getByRole('heading', { level: 2, name: 'gru' }).waitFor()
    assert.equal(await other.getByLabel('x', { exact: true }).inputValue(), '1, 2, 3\n4, 5, 6')
    await other.close()

    await page.getByLabel('x', { exact: true }).fill('1, 2, 3\n0, 0, 0')
    await run(page)
    await page.getByLabel('Minus').selectOption({ index: 1 })
    const [[...zeros], changed] = await valuesOf(page)
    assert.deepEqual(zeros, first.map(() => 0))
    assert.ok(changed.some((value) => value !== 0))
    assert.deepEqual(faults, [])

    await page.goto(`${link.split('#')[0]}#model=gru&request=broken`)
    await page.getByRole('alert').filter({ hasText: 'The request in the link cannot be read' }).waitFor()
  })

  test('is used by the keyboard alone', async (t) => {
    const { page, faults } = await open(t)
    await page.getByRole('button', { name: 'Run', exact: true }).waitFor()
    const focused = async () => await page.evaluate(() => document.activeElement?.textContent?.trim() ?? '')
    /** Presses Tab until what is wanted has the focus, which must be seen. */
    const tabTo = async (text: RegExp): Promise<void> => {
      for (let presses = 0; presses < 60; presses++) {
        await page.keyboard.press('Tab')
        if (text.test(await focused())) return
      }
      assert.fail(`Tab does not reach ${text.source}`)
    }
    await tabTo(/^Skip to the request$/)
    await page.keyboard.press('Tab')
    await tabTo(/^symmetric/)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 2, name: 'symmetric' }).waitFor()
    await tabTo(/^Run$/)
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle), 'none')
    await page.keyboard.press('Enter')
    await said(page, /^48 steps/)
    await tabTo(/^output$/)
    for (let presses = 0; presses < 12 && await page.evaluate(() => document.activeElement?.getAttribute('role')) !== 'application'; presses++) await page.keyboard.press('Tab')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await page.locator('.readout').filter({ hasText: /step 1: -?\d/ }).first().waitFor()
    assert.deepEqual(faults, [])
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`is ${colorScheme} where the system is, and axe finds nothing, on a phone either`, async (t) => {
      const { page, faults } = await open(t, { colorScheme, viewport: { width: 320, height: 640 }, hash: '#model=luong' })
      const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
      await page.getByRole('button', { name: 'Run', exact: true }).waitFor()
      const own = await background()
      assert.equal(own, colorScheme === 'dark' ? 'rgb(18, 25, 29)' : 'rgb(255, 255, 255)')
      assert.deepEqual(await findings(page), [])
      await run(page)
      await page.getByRole('tab', { name: 'attention', exact: true }).click()
      await valuesOf(page)
      await page.getByText('Initial state and steps').click()
      assert.deepEqual(await findings(page), [])
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page scrolls to the side')
      await page.setViewportSize({ width: 1280, height: 800 })
      assert.deepEqual(await findings(page), [])
      // What the user chooses is kept.
      await page.getByLabel('Theme').selectOption(colorScheme === 'dark' ? 'Light' : 'Dark')
      assert.notEqual(await background(), own)
      await page.reload()
      await page.getByRole('button', { name: 'Run', exact: true }).waitFor()
      assert.notEqual(await background(), own)
      assert.deepEqual(faults, [])
    })
  }

  test('asks for the key if the service does, and keeps it nowhere', async (t) => {
    const { page, faults } = await open(t, { service: await serveAll(t, '--api-key', KEY) })
    const key = page.getByLabel('The service requires an API key')
    await key.waitFor()
    assert.deepEqual(await findings(page), [])
    await key.fill('wrong-horse')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'The service does not accept this key.' }).waitFor()
    await key.fill(KEY)
    await page.keyboard.press('Enter')
    await run(page)
    await page.getByRole('button', { name: 'Step', exact: true }).click()
    await said(page, /^Step 1 of 48\.$/)
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, document.documentElement.outerHTML]))
    assert.ok(!kept.includes(KEY))
    await page.reload()
    await key.waitFor()
    // A browser says of each answer that is a refusal that it is one.
    assert.deepEqual(faults.filter((each) => !/\b401\b/.test(each)), [])
  })
})
