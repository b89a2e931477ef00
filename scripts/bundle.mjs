// Bundles the service with the packages that each start loads: a start then reads a few files instead of seven hundred, and takes half
// the time.
//
//     node scripts/bundle.mjs FOLDER      build.mjs then moves it to dist/bundle/
//
// Also writes to the folder contents.json (the modules with their files and exports, and the paths of the packages) and the packages'
// licences.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const folder = process.argv[2]

/**
 * The modules that users and containers start, those that the service starts for each worker, for each reload and for the first large
 * body of either kind, and a package of 370 files that most modules load.
 */
const modules = ['main', 'workers/worker', 'weights/reading-thread', 'wire/json-thread', 'wire/inference/head-thread', 'cli/healthcheck', 'tensor/typebox'].filter((module) => existsSync(join(root, 'src', `${module}.ts`)))

/** Leaves out packages that are loaded on demand. */
const onDemand = {
  name: 'packages on demand',
  setup ({ onResolve }) {
    onResolve({ filter: /^[^.]/ }, ({ path, kind }) => kind === 'dynamic-import' ? { path, external: true } : undefined)
  }
}

/** Lets a bundled source find the files next to it, as its compiled form in dist/ does. */
const ownUrls = {
  name: 'own URLs',
  setup ({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const compiled = join('..', relative(join(root, 'src'), path)).replace(/\.ts$/, '.js')
      return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', `new URL(${JSON.stringify(compiled)}, import.meta.url).href`), loader: 'ts' }
    })
  }
}

/** Leaves out packages' source maps, which point to sources that are not installed. */
const noMaps = {
  name: 'no maps of packages',
  setup ({ onLoad }) {
    onLoad({ filter: /node_modules.*\.[cm]?js$/ }, ({ path }) => ({ contents: readFileSync(path, 'utf8').replace(/^\/\/# sourceMappingURL=.*$/gm, '') }))
  }
}

const { peerDependencies = {} } = readJson('package.json')
const { metafile, outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: modules.map((module) => `src/${module}.ts`),
  entryNames: '[name]',
  // Source maps are relative to the bundle's final place.
  outdir: 'dist/bundle',
  write: false,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Names stay unchanged, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  sourcemap: 'linked',
  sourcesContent: false,
  metafile: true,
  // Packages that an install may lack.
  external: [...Object.keys(peerDependencies), '@tensorflow/*'],
  // Packages expect `require`, which a module does not have.
  banner: { js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);" },
  plugins: [onDemand, ownUrls, noMaps]
})

mkdirSync(folder, { recursive: true })
for (const { path, contents } of outputFiles) writeFileSync(join(folder, basename(path)), contents)

const packages = [...new Set(Object.keys(metafile.inputs).map((file) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(file)?.[0]))].filter((path) => path !== undefined).sort()
const bundled = Object.entries(metafile.outputs)
  .map(([path, { entryPoint = '', exports }]) => ({ module: entryPoint.replace(/^src\/(.*)\.ts$/, '$1'), file: basename(path), exports }))
  .filter(({ module }) => modules.includes(module))
writeFileSync(join(folder, 'contents.json'), JSON.stringify({ modules: bundled, packages }))
writeFileSync(join(folder, 'licences.txt'), packages.map(licenceOf).join('\n'))

/** The name, version and licence of the package in a folder. */
function licenceOf (path) {
  const { name, version, license } = readJson(`${path}/package.json`)
  const file = readdirSync(join(root, path)).find((each) => /^licen[cs]e/i.test(each))
  return `${name} ${version}: ${license}\n${file === undefined ? '' : `\n${readFileSync(join(root, path, file), 'utf8')}`}`
}

function readJson (path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'))
}
