// Takes the screenshots of the page for the README and docs/, with Debian's Chromium:
//
//     npm run pictures
//
// The page runs demo models, whose numbers are always the same; the engine's name and the counts depend on the machine.

import { mkdir, stat } from 'node:fs/promises'
import { chromium, type Page } from 'playwright-core'
import { readConfig } from '../src/config/settings.ts'
import { chooseEngine } from '../src/engine/choose.ts'
import { createService } from '../src/service.ts'

const FOLDER = 'docs/pictures'
const SCHEMES = ['light', 'dark'] as const
/** The README must also load over slow connections. */
const MAX_BYTES = 150_000

interface Picture {
  readonly name: string
  readonly width: number
  readonly height: number
  /** Performs the user's actions before the screenshot. */
  take (page: Page): Promise<void>
}

const PICTURES: readonly Picture[] = [
  {
    name: 'page',
    width: 1200,
    height: 840,
    async take (page) {
      await run(page, 'matching-networks')
      await page.getByRole('tab', { name: 'attention', exact: true }).click()
      await page.evaluate(() => { scrollTo(0, 0) })
    }
  },
  {
    name: 'phone',
    width: 360,
    height: 720,
    async take (page) {
      await run(page, 'gru')
      await page.getByRole('heading', { name: 'Answer', exact: true }).evaluate((heading) => { heading.scrollIntoView() })
    }
  }
]

const config = readConfig(['--log-level', 'silent'], {})
if (typeof config === 'string') throw new Error(config)
const { app } = await createService(config, await chooseEngine('auto', {}))
await app.listen({ host: '127.0.0.1', port: 0 })
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
try {
  await mkdir(FOLDER, { recursive: true })
  for (const { name, width, height, take } of PICTURES) {
    for (const colorScheme of SCHEMES) {
      const page = await browser.newPage({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' })
      await page.goto(app.listeningOrigin)
      await take(page)
      // Wait until the plots are drawn in the next frames.
      await page.waitForTimeout(500)
      const path = `${FOLDER}/${name}-${colorScheme}.png`
      await page.screenshot({ path })
      await page.close()
      const { size } = await stat(path)
      if (size > MAX_BYTES) throw new Error(`${path} has ${size} bytes, more than ${MAX_BYTES}`)
      console.log(`${path}: ${size} bytes`)
    }
  }
} finally {
  await browser.close()
  await app.close()
}

async function run (page: Page, model: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Models' }).getByRole('button', { name: model }).click()
  await page.getByRole('button', { name: 'Run', exact: true }).click()
  await page.getByText(/^\d+ steps in \d+ ms\.$/).waitFor()
}
