import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { delimiter, join } from 'node:path'
import { after, before, type TestContext } from 'node:test'
import type { Browser } from 'playwright-core'
import { takes } from './outside.ts'

const executable = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'chromium')).find((path) => existsSync(path))
const { skip } = takes('Chromium')

/** Why tests in a browser are skipped, or false. */
export const withoutBrowser: string | false = skip !== false ? skip : executable === undefined && 'chromium is not installed; it is Debian\'s package of that name'

/**
 * Starts a browser for the tests of a suite. It resolves these hosts to this machine.
 *
 * @returns a function that returns the browser, once the suite has begun.
 */
export function browserFor (...hosts: readonly string[]): () => Browser {
  let browser: Browser | undefined
  before(async () => {
    // Loaded only here, because loading takes longer than most test files.
    const { chromium } = await import('playwright-core')
    browser = await chromium.launch({
      ...(executable !== undefined && { executablePath: executable }),
      // Chromium's sandbox does not work for root, and CI runs as root.
      args: ['--no-sandbox', `--host-resolver-rules=${hosts.map((host) => `MAP ${host} 127.0.0.1`).join(', ')}`]
    })
  })
  after(async () => { await browser?.close() })
  return () => {
    if (browser === undefined) throw new Error('the browser has not been started')
    return browser
  }
}

/** Serves an empty page on its own port, as a page of another origin. */
export async function servePage (t: TestContext): Promise<number> {
  const site = createServer((_request, response) => { response.setHeader('content-type', 'text/html').end('<!doctype html><title>a page</title>') })
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  t.after(() => { site.close().closeAllConnections() })
  const address = site.address()
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}
