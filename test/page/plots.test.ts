import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { before, describe, test, type TestContext } from 'node:test'
import { build } from 'esbuild'
import type { Page } from 'playwright-core'
import { browserFor, servePage, withoutBrowser } from '../support/browser.ts'
import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import { until } from '../support/until.ts'

/** The plots on a page of their own: `show` has them draw series whose values a function says. */
const HARNESS = `
  import { h, render } from 'preact'
  import { Result } from './plots/Result.tsx'
  import { append, createSeries } from './series/series.ts'
  import { ordered } from './series/order.ts'
  import { inSlices } from './series/slices.ts'
  import { range } from './series/groups.ts'
  import './style.css'

  const make = ({ name, size, steps, labels }, valueOf) => {
    const series = createSeries(name, size, labels)
    const values = new Float32Array(size * steps)
    for (let step = 0; step < steps; step++) for (let unit = 0; unit < size; unit++) values[step * size + unit] = valueOf(unit, step)
    append(series, values)
    return [name, series]
  }
  const root = document.body.appendChild(document.createElement('main'))
  const draw = (props) => render(h(Result, { theme: 'light', ...props }), root)
  Object.assign(window, { make, draw, append, ordered, inSlices, range })
`

/** Three units by four steps, whose values say which they are. */
const SMALL = `
  let runs = 0
  const run = (extra = 0) => ({
    id: ++runs, model: 'small', request: { x: [[[1]]] }, url: 'http://127.0.0.1:8080', state: 'done',
    series: new Map([
      make({ name: 'output', size: 3, steps: 4 }, (unit, step) => (unit + 1) * (step % 2 === 0 ? 0.25 : -0.25) + extra),
      make({ name: 'gates', size: 4, steps: 4, labels: ['i 0', 'i 1', 'f 0', 'f 1'] }, (unit, step) => unit / 4),
      make({ name: 'y', size: 2, steps: 4 }, (unit, step) => unit + step)
    ])
  })
  window.run = run
`

describe('the plots in a browser', { skip: withoutBrowser }, () => {
  const browser = browserFor()
  let script = ''
  let style = ''

  before(async () => {
    const { outputFiles } = await build({
      stdin: { contents: HARNESS, resolveDir: resolve('page/src'), loader: 'js' },
      outdir: 'out',
      bundle: true,
      format: 'iife',
      jsx: 'automatic',
      jsxImportSource: 'preact',
      write: false
    })
    for (const { path, text } of outputFiles) if (path.endsWith('.css')) style = text; else script = text
  })

  async function open (t: TestContext): Promise<{ page: Page, errors: string[] }> {
    const page = await browser().newPage({ viewport: { width: 1280, height: 900 }, acceptDownloads: true })
    t.after(() => page.close())
    const errors: string[] = []
    page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()) })
    page.on('pageerror', (error) => { errors.push(String(error)) })
    await page.goto(`http://127.0.0.1:${await servePage(t)}/`)
    await page.addStyleTag({ content: style })
    await page.addScriptTag({ content: script })
    await page.evaluate(SMALL)
    return { page, errors }
  }

  test('a map is read by pointing, and by keys alone', async (t) => {
    const { page, errors } = await open(t)
    await page.evaluate('draw({ run: run() })')
    const map = page.getByRole('application')
    const readout = page.locator('.heat-map .readout')
    assert.equal(await readout.textContent(), 'Point at a value, or use the arrow keys.')

    await map.focus()
    await page.keyboard.press('ArrowDown')
    assert.equal(await readout.textContent(), 'output 0, step 0: 0.25')
    for (const key of ['ArrowDown', 'ArrowRight']) await page.keyboard.press(key)
    assert.equal(await readout.textContent(), 'output 1, step 1: -0.5')
    const spoken = page.locator('.heat-map [aria-live=polite]')
    assert.equal(await spoken.textContent(), 'output 1, step 1: -0.5')
    await page.keyboard.press('End')
    assert.equal(await readout.textContent(), 'output 1, step 3: -0.5')

    const box = await map.boundingBox()
    assert.ok(box !== null)
    await page.mouse.move(box.x + box.width - 20, box.y + box.height - 30)
    assert.equal(await readout.textContent(), 'output 2, step 3: -0.75')
    // What is pointed at is not spoken.
    assert.equal(await spoken.textContent(), '')
    assert.deepEqual(errors, [])
  })

  test('the wheel zooms around the pointer, and what is dragged stays under it', async (t) => {
    const { page } = await open(t)
    await page.evaluate('draw({ run: { ...run(), series: new Map([make({ name: "output", size: 200, steps: 400 }, (unit, step) => unit * 1000 + step)]) } })')
    const map = page.getByRole('application')
    const readout = page.locator('.heat-map .readout')
    const at = async (): Promise<{ unit: number, step: number }> => {
      const text = await readout.textContent() ?? ''
      const [, unit, step, value] = /^output (\d+), step (\d+): (\d+)$/.exec(text) ?? []
      assert.equal(Number(value), Number(unit) * 1000 + Number(step), text)
      return { unit: Number(unit), step: Number(step) }
    }
    const near = (a: { unit: number, step: number }, b: { unit: number, step: number }): boolean => Math.abs(a.unit - b.unit) <= 1 && Math.abs(a.step - b.step) <= 1
    const box = await map.boundingBox()
    assert.ok(box !== null)
    const [x, y] = [box.x + box.width * 0.7, box.y + box.height * 0.4]
    await page.mouse.move(x, y)
    const first = await at()
    assert.ok(Math.abs(first.step - 270) < 30 && Math.abs(first.unit - 80) < 15, JSON.stringify(first))

    for (let i = 0; i < 5; i++) await page.mouse.wheel(0, -300)
    await page.locator('.plot.zoomed').waitFor()
    await page.mouse.move(x + 1, y)
    assert.ok(near(await at(), first))
    // A tenth of the map is now fewer cells than before.
    await page.mouse.move(x + box.width * 0.1, y)
    const beside = await at()
    assert.ok(beside.step - first.step < 15, JSON.stringify([first, beside]))

    await page.mouse.down()
    await page.mouse.move(x - 150, y + 60, { steps: 5 })
    await page.mouse.up()
    await page.mouse.move(x - 150, y + 61)
    assert.ok(near(await at(), beside), JSON.stringify([beside, await at()]))
    // A drag is no click.
    assert.equal(await page.getByRole('list', { name: 'Followed units' }).count(), 0)

    await map.focus()
    await page.keyboard.press('0')
    assert.equal(await page.locator('.plot.zoomed').count(), 0)
    await page.mouse.move(x, y)
    assert.deepEqual(await at(), first)
  })

  test('the page scrolls on if the wheel has nothing to zoom', async (t) => {
    const { page } = await open(t)
    await page.evaluate('draw({ run: run() })')
    const stopped = (deltaY: number): Promise<boolean> => page.getByRole('application').evaluate((element, deltaY) => {
      const { x, y } = element.getBoundingClientRect()
      return !element.dispatchEvent(new WheelEvent('wheel', { deltaY, clientX: x + 200, clientY: y + 60, bubbles: true, cancelable: true }))
    }, deltaY)
    await page.waitForFunction("document.querySelector('.heat-map canvas').width > 300")
    assert.deepEqual([await stopped(100), await stopped(-100), await stopped(50), await stopped(1000), await stopped(100)], [false, false, false, false, false])
    await page.evaluate('draw({ run: { ...run(), series: new Map([make({ name: "output", size: 100, steps: 100 }, () => 1)]) } })')
    await page.waitForFunction("document.querySelector('.heat-map canvas').height > 300")
    assert.deepEqual([await stopped(100), await stopped(-100), await stopped(50), await stopped(1000), await stopped(100)], [false, true, true, true, false])
  })

  test('a unit that is clicked is followed, or no longer', async (t) => {
    const { page } = await open(t)
    await page.evaluate('draw({ run: run() })')
    const followed = page.getByRole('list', { name: 'Followed units' }).getByRole('listitem')
    assert.deepEqual(await followed.allInnerTexts(), ['output 0\n×', 'output 1\n×', 'output 2\n×'])
    const box = await page.getByRole('application').boundingBox()
    assert.ok(box !== null)
    await page.mouse.click(box.x + box.width / 2, box.y + box.height - 30)
    assert.deepEqual(await followed.allInnerTexts(), ['output 0\n×', 'output 1\n×'])
    await page.getByRole('button', { name: 'Unfollow output 0' }).click()
    assert.deepEqual(await followed.allInnerTexts(), ['output 1\n×'])
    assert.match(await page.getByRole('img').getAttribute('aria-label') ?? '', /^output over time: output 1, at the last step -0.5$/)
  })

  test('tabs go from series to series, gates are apart, a table has the values', async (t) => {
    const { page, errors } = await open(t)
    await page.evaluate('draw({ run: run() })')
    await page.getByRole('combobox', { name: 'Order' }).selectOption('by activity')
    await page.getByRole('tab', { name: 'output' }).focus()
    await page.keyboard.press('ArrowRight')
    const gates = page.getByRole('tab', { name: 'gates' })
    assert.equal(await gates.getAttribute('aria-selected'), 'true')
    assert.equal(await gates.evaluate((element) => element === document.activeElement), true)
    assert.equal(await page.getByRole('combobox', { name: 'Units' }).evaluate((select) => select instanceof HTMLSelectElement && select.selectedOptions[0].text), 'i')
    await page.getByRole('combobox', { name: 'Units' }).selectOption('f')
    await page.getByText('The values as a table').click()
    const table = page.getByRole('table')
    // The details open first, and their toggle event then makes the table.
    await table.waitFor()
    assert.deepEqual(await table.getByRole('columnheader').allInnerTexts(), ['step', 'f 0', 'f 1'])
    assert.deepEqual(await table.getByRole('cell').allInnerTexts(), ['0.5', '0.75', '0.5', '0.75', '0.5', '0.75', '0.5', '0.75'])
    assert.equal(await table.getByRole('caption').innerText(), 'gates: steps 0 to 3 of 4, 2 of 2 units')
    // What was chosen stays.
    assert.equal(await page.getByRole('combobox', { name: 'Order' }).evaluate((select) => select instanceof HTMLSelectElement && select.selectedOptions[0].text), 'by activity')
    await page.getByRole('tab', { name: 'y' }).click()
    assert.equal(await page.locator('.bars [role=img]').getAttribute('aria-label'), 'y at step 3; the largest: y 1 4, y 0 3')
    assert.deepEqual(errors, [])
  })

  test('a run minus an earlier one', async (t) => {
    const { page } = await open(t)
    await page.evaluate('const earlier = run(0.125); draw({ run: run(), earlier: [earlier] })')
    await page.getByRole('combobox', { name: 'Minus' }).selectOption('run 1, 4 steps')
    await page.getByRole('application').focus()
    await page.keyboard.press('ArrowDown')
    assert.equal(await page.locator('.heat-map .readout').textContent(), 'output 0, step 0: -0.125')
    await page.evaluate('const wider = run(); wider.series.set(...make({ name: "output", size: 5, steps: 4 }, () => 0)); draw({ run: run(), earlier: [wider] })')
    await page.getByRole('combobox', { name: 'Minus' }).selectOption('run 3, 4 steps')
    assert.equal(await page.locator('.note').textContent(), 'The runs cannot be compared: output has 3 units here and 5 in the earlier run.')
  })

  test('what streams in is drawn', async (t) => {
    const { page } = await open(t)
    await page.evaluate('const live = run(); live.state = "running"; window.live = live; draw({ run: live })')
    await page.getByText('The values as a table').click()
    await page.evaluate('append(live.series.get("output"), [9, 8, 7])')
    await page.getByRole('cell', { name: '9', exact: true }).waitFor()
    assert.match(await page.locator('.lines [role=img]').getAttribute('aria-label') ?? '', /output 2, at the last step 7$/)
    await page.getByRole('application').focus()
    for (const key of ['ArrowDown', 'End']) await page.keyboard.press(key)
    assert.equal(await page.locator('.heat-map .readout').textContent(), 'output 0, step 4: 9')
  })

  test('cells have the colours of their values, in both themes', async (t) => {
    for (const theme of ['light', 'dark']) {
      const { page } = await open(t)
      const pixelAt = async (x: number, y: number): Promise<number[]> => await page.evaluate(`(() => {
        const canvas = document.querySelector('.heat-map canvas')
        return [...canvas.getContext('2d').getImageData(Math.round(canvas.width * ${x}), Math.round(canvas.height * ${y}), 1, 1).data]
      })()`)
      await page.evaluate(`draw({ run: run(), theme: ${JSON.stringify(theme)} })`)
      // The last unit, at the first and the second step: 0.75 is orange, -0.75 blue.
      await until(async () => {
        const [above, below] = [await pixelAt(0.25, 0.85), await pixelAt(0.4, 0.85)]
        return above[0] > above[2] + 40 && below[2] > below[0] + 40
      }, `the colours of the theme ${theme}`)
    }
  })

  test('the answer is saved as files', async (t) => {
    const { page } = await open(t)
    await page.evaluate('draw({ run: run() })')
    const saved = async (name: string): Promise<Buffer> => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name, exact: true }).click()])
      assert.equal(download.suggestedFilename(), `small.${name.toLowerCase()}`)
      return await readFile(await download.path())
    }
    const json: unknown = JSON.parse(String(await saved('JSON')))
    assert.deepEqual(json, {
      output: [[[0.25, 0.5, 0.75], [-0.25, -0.5, -0.75], [0.25, 0.5, 0.75], [-0.25, -0.5, -0.75]]],
      y: [[[0, 1], [1, 2], [2, 3], [3, 4]]],
      parts: { gates: [Array.from({ length: 4 }, () => [0, 0.25, 0.5, 0.75])] }
    })
    assert.equal(String(await saved('CSV')).split('\r\n')[1], '0,0.25,0.5,0.75,0,0.25,0.5,0.75,0,1')
    assert.deepEqual([...parseSafetensors(await saved('safetensors'))].map(([name, { shape }]) => [name, shape]), [['output', [1, 4, 3]], ['parts/gates', [1, 4, 4]], ['y', [1, 4, 2]]])
    const png = await saved('PNG')
    assert.deepEqual([png.toString('latin1', 1, 4), png.readUInt32BE(16), png.readUInt32BE(20)], ['PNG', 2400, 564])
  })

  test('1,000 units by 2,000 steps pan and zoom at 50 frames a second', { timeout: 120_000 }, async (t) => {
    const { page, errors } = await open(t)
    await page.evaluate(`
      // What the page's own code takes of each frame.
      const request = window.requestAnimationFrame.bind(window)
      window.taken = []
      window.requestAnimationFrame = (callback) => request((time) => {
        const begin = performance.now()
        callback(time)
        window.taken.push(performance.now() - begin)
      })
      // The time from frame to frame, until it is stopped.
      window.frames = async (until) => {
        const times = []
        let on = true
        const finished = until().then(() => { on = false })
        await new Promise((resolve) => {
          const next = (time) => { times.push(time); if (on) request(next); else resolve() }
          request(next)
        })
        await finished
        return times.slice(1).map((time, i) => time - times[i])
      }
      draw({ run: { ...run(), series: new Map([make({ name: 'output', size: 1000, steps: 2000 }, (unit, step) => Math.sin(unit * 0.37 + step * 0.05) * Math.exp(-(((step - 2 * unit) / 300) ** 2)))]) } })
    `)
    const box = await page.getByRole('application').boundingBox()
    assert.ok(box !== null)
    const middle = { x: Math.round(box.x + box.width / 2), y: Math.round(box.y + box.height / 2) }
    // The events are the page's own, one a frame, because a debugger's take their time to come.
    const moves = `async () => {
      const element = document.querySelector('[role=application]')
      const send = async (event) => { element.dispatchEvent(event); await new Promise((resolve) => setTimeout(resolve, 16)) }
      const at = (x, y, more) => ({ bubbles: true, cancelable: true, clientX: ${middle.x} + x, clientY: ${middle.y} + y, pointerId: 1, button: 0, ...more })
      element.setPointerCapture = () => {}
      for (let i = 0; i < 30; i++) await send(new WheelEvent('wheel', at(0, 0, { deltaY: -60 })))
      await send(new PointerEvent('pointerdown', at(0, 0)))
      for (let i = 1; i < 60; i++) await send(new PointerEvent('pointermove', at(5 * i * (i % 30 < 15 ? 1 : -1), 2 * i)))
      await send(new PointerEvent('pointerup', at(0, 0)))
      for (let i = 0; i < 30; i++) await send(new WheelEvent('wheel', at(100, 50, { deltaY: 60 })))
    }`
    const idle = 'async () => { await new Promise((resolve) => setTimeout(resolve, 500)) }'
    const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1]
    const rounds: Array<{ frame: number, idle: number, code: number }> = []
    // Other programs of a busy machine may spoil a round, but not all of them.
    for (let round = 0; round < 4; round++) {
      const still = median(await page.evaluate(`frames(${idle})`))
      await page.evaluate('taken.length = 0')
      const frame = median(await page.evaluate(`frames(${moves})`))
      const code = await page.evaluate<number[]>('taken')
      assert.ok(code.length > 30, `${code.length} frames were drawn`)
      rounds.push({ frame, idle: still, code: median(code) })
      if (frame <= 20 && median(code) <= 5) break
    }
    t.diagnostic(JSON.stringify(rounds))
    const best = Math.min(...rounds.map(({ code }) => code))
    // 1 ms, if tiles that were painted once are kept.
    assert.ok(best <= 5, `the code takes ${best} ms of a frame`)
    // If even a page at rest has fewer, the browser's frames say nothing.
    assert.ok(rounds.some(({ frame, idle }) => frame <= Math.max(20, 1.2 * idle)), `from frame to frame: ${JSON.stringify(rounds)}`)

    // In the end there is no hole, at any zoom.
    await page.getByRole('application').focus()
    for (const key of ['0', '+', '+', '+', '+', '+', '+', '+', '+', '+']) {
      await page.keyboard.press(key)
      await page.waitForFunction(`(() => {
        const canvas = document.querySelector('.heat-map canvas')
        const { data } = canvas.getContext('2d').getImageData(120, 30, canvas.width - 140, canvas.height - 60)
        return data.every((value, i) => i % 4 !== 3 || value === 255)
      })()`)
    }
    assert.deepEqual(errors, [])
  })

  test('orders 1,000 units by similarity without holding the page up', { timeout: 120_000 }, async (t) => {
    const { page } = await open(t)
    const { longest, taken, units } = await page.evaluate<{ longest: number, taken: number, units: number }>(`(async () => {
      const [, series] = make({ name: 'h', size: 1000, steps: 2000 }, (unit, step) => Math.sin(step / 9 + unit * 7.3) + Math.cos(unit * unit + step * (unit % 5)))
      let best = { longest: Infinity, taken: Infinity, units: 0 }
      for (let round = 0; round < 3; round++) {
        const work = ordered(series, range(0, 1000), 'by similarity')
        const pieces = []
        const begin = performance.now()
        let last = begin
        let step
        do {
          step = work.next()
          const now = performance.now()
          pieces.push(now - last)
          last = now
        } while (!step.done)
        pieces.sort((a, b) => a - b)
        best = { longest: Math.min(best.longest, pieces[Math.floor(pieces.length * 0.99)]), taken: Math.min(best.taken, last - begin), units: new Set(step.value).size }
      }
      return best
    })()`)
    t.diagnostic(`${taken.toFixed()} ms, one in a hundred pieces more than ${longest.toFixed(2)} ms`)
    assert.equal(units, 1000)
    // Alone, a piece takes 0.3 ms and all of them 200 ms.
    assert.ok(longest < 5, `one in a hundred pieces takes more than ${longest} ms`)
    assert.ok(taken < 2000, `it takes ${taken} ms`)
  })
})
