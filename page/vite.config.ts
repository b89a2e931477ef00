import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { defineConfig, type Plugin } from 'vite'

/** The packages whose code is in the page. */
const BUNDLED = ['preact', '@preact/signals', '@preact/signals-core']

/** scripts/build.mjs builds it, into dist/page: the page itself, and beside it the folder page/ with its assets, as they are served. */
export default defineConfig({
  // `npx vite page` serves the sources, for the service that runs beside it.
  server: { proxy: { '^/(?:models|sessions|metrics|docs|openapi)': { target: 'http://127.0.0.1:8080', ws: true } } },
  // Relative, for a proxy that serves the page under a path.
  base: './',
  build: {
    assetsDir: 'page',
    // The policy of the page allows no data: in the place of files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022'
  },
  plugins: [licences()],
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none' }
})

/** Puts the licences of what is bundled in front of it, as they ask. */
function licences (): Plugin {
  const { resolve } = createRequire(import.meta.url)
  const texts = BUNDLED.map((name) => {
    const folder = resolve(name).split(`node_modules/${name}/`)[0]
    return `${name}\n\n${readFileSync(`${folder}node_modules/${name}/LICENSE`, 'utf8').trim()}`
  })
  return {
    name: 'licences',
    generateBundle (_options, bundle) {
      for (const file of Object.values(bundle)) if (file.type === 'chunk') file.code = `/*\n${texts.join('\n\n')}\n*/\n${file.code}`
    }
  }
}
