import { defineConfig } from 'vite'

/** scripts/build.mjs builds it, into dist/page: the page itself, and beside it the folder page/ with its assets, as they are served. */
export default defineConfig({
  // Relative, for a proxy that serves the page under a path.
  base: './',
  build: {
    assetsDir: 'page',
    // The policy of the page allows no data: in the place of files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022'
  },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none' }
})
