import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import Fastify from 'fastify'
import supertest from 'supertest'
import home from '../../src/routes/home.ts'
import { version } from '../../src/version.ts'
import { buildTestApp } from '../support/app.ts'

/** What a browser accepts. */
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

test('a program is told where things are, and they are there', async (t) => {
  for (const flags of [[], ['--no-page']]) {
    const request = supertest((await buildTestApp(t, ...flags)).server)
    for (const accept of ['*/*', 'application/json']) {
      const { body, headers } = await request.get('/').set('accept', accept).expect(200).expect('content-type', /json/)
      const { name, version: found, ...places } = body
      assert.deepEqual([name, found, headers.vary], ['cellserve', version, 'accept'])
      assert.equal(Object.keys(places).length, 3)
      for (const place of Object.values<string>(places)) await request.get(place).expect(200)
    }
  }
})

describe('a browser', () => {
  for (const flags of [[], ['--api-key', 'correct-horse']]) {
    test(`is shown the page and all that belongs to it, with its own policy: ${flags.join(' ') || 'without keys'}`, async (t) => {
      const request = supertest((await buildTestApp(t, ...flags)).server)
      const { text, headers } = await request.get('/').set('accept', BROWSER).expect(200).expect('content-type', 'text/html; charset=utf-8')
      assert.match(headers['content-security-policy'], /^default-src 'none'; .*script-src 'self'/)
      assert.doesNotMatch(headers['content-security-policy'], /unsafe/)
      assert.equal(headers['cache-control'], 'no-cache')
      const assets = [...text.matchAll(/(?:src|href)="\.\/(page\/[^"]+)"/g)].map(([, path]) => path)
      assert.deepEqual(assets.map((path) => path.replace(/.*\./, '')).sort(), ['css', 'js', 'svg'])
      let size = Number(headers['content-length'])
      for (const path of assets) {
        const { headers: asset } = await request.get(`/${path}`).set('accept-encoding', 'br').expect(200).expect('cache-control', 'public, max-age=31536000, immutable').expect('x-content-type-options', 'nosniff')
        size += Number(asset['content-length'])
      }
      assert.ok(size < 60_000, `the page has ${size} bytes`)
      // All files that there are, and they are read by the one page.
      assert.deepEqual((await readdir('dist/page/page')).filter((name) => !/\.(br|gz)$/.test(name)).sort(), assets.map((path) => path.replace('page/', '')).sort())
    })
  }

  test('gets the form that it accepts, and nothing that it has', async (t) => {
    const request = supertest((await buildTestApp(t)).server)
    const lengths = await Promise.all(['br, gzip', 'gzip', 'identity'].map(async (encoding) => {
      const { headers, text } = await request.get('/').set({ accept: BROWSER, 'accept-encoding': encoding }).buffer(true).expect(200)
      assert.equal(headers['content-encoding'], { 'br, gzip': 'br', gzip: 'gzip' }[encoding])
      assert.equal(headers.vary, 'accept, accept-encoding')
      if (encoding !== 'br, gzip') assert.match(text, /<title>cellserve<\/title>/)
      const same = await request.get('/').set({ accept: BROWSER, 'accept-encoding': encoding, 'if-none-match': `"another", W/${headers.etag}` }).expect(304)
      assert.equal(same.text, '')
      const head = await request.head('/').set({ accept: BROWSER, 'accept-encoding': encoding }).expect(200)
      assert.deepEqual([head.headers.etag, head.headers['content-length']], [headers.etag, headers['content-length']])
      return Number(headers['content-length'])
    }))
    assert.deepEqual(lengths.toSorted((a, b) => a - b), lengths)
    assert.equal(new Set(lengths).size, 3)
  })

  test('finds nothing else by the paths of the page', async (t) => {
    const request = supertest((await buildTestApp(t)).server)
    for (const path of ['nothing.js', '..%2findex.html', '%2e%2e%2f.sources', 'a%00.js', '..']) {
      const { headers } = await request.get(`/page/${path}`).expect(404).expect('content-type', /problem\+json/)
      assert.equal(headers['cache-control'], 'no-store', path)
    }
  })

  test('is led to the reference if the page is switched off', async (t) => {
    const request = supertest((await buildTestApp(t, '--no-page')).server)
    const { headers } = await request.get('/').set('accept', BROWSER).expect(302)
    assert.deepEqual([headers.location, headers.vary], ['docs/', 'accept'])
    await request.get(`/${headers.location}`).expect(200).expect('content-type', /html/)
    const [asset] = await readdir('dist/page/page')
    await request.get(`/page/${asset}`).expect(404)
  })

  test('is answered how to build the page if there is none', async (t) => {
    const page = await mkdtemp(join(tmpdir(), 'cellserve-page-'))
    t.after(() => rm(page, { recursive: true }))
    const app = Fastify()
    t.after(() => app.close())
    await app.register(home, { version, page })
    await app.listen({ port: 0 })
    const { text } = await supertest(app.server).get('/').set('accept', BROWSER).expect(200).expect('content-type', /html/)
    assert.match(text, /npm ci.*href="docs\/"/s)
  })
})
