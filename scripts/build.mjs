// Compiles src/ to dist/, unless dist/ was compiled from the same sources; does the same for the client in clients/typescript/. Bundles
// what each start loads to dist/bundle/, and builds the page in page/ to dist/page/.
//
//     node scripts/build.mjs                  fails if the compiler is missing
//     node scripts/build.mjs --if-possible    reports that and continues: an install without development dependencies lacks it

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
/** What to compile: each folder's sources to its dist/, with a configuration of the compiler. */
const PACKAGES = [
  { folder: root, config: 'tsconfig.build.json', others: ['tsconfig.json'] },
  { folder: join(root, 'clients/typescript'), config: 'tsconfig.json', others: ['../../tsconfig.json'] }
]
/** What the page is built from: its own files, those of the client that it uses to call the service, and packages. */
const PAGE = {
  folders: ['page', 'clients/typescript/src'],
  others: ['vite', 'preact', '@preact/signals'].map((name) => `node_modules/${name}/package.json`)
}
/** The digest of the sources that dist/ was compiled from. Times would not work, because a copy of a checkout has new ones. */
const STAMP = '.sources'
const BUILT_PAGE = 'dist/page'
const BUNDLE = 'dist/bundle'
/** Node.js reports the covered lines of a bundle wrongly, so the bundle is left out when coverage is measured. */
const BUNDLED = process.env.NO_BUNDLE !== '1'

export class NoCompiler extends Error {
  message = 'dist/ is not of these sources and the compiler, a development dependency, is not installed: `npm ci` installs it, Node.js 22.18 and newer need none'
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    build()
  } catch (error) {
    console.log(`cellserve: not compiled: ${error.message}`)
    if (!(error instanceof NoCompiler && process.argv.includes('--if-possible'))) process.exitCode = 1
  }
}

/**
 * Compiles the sources that have changed.
 *
 * @throws NoCompiler if the compiler is missing, Error if the sources do not compile; dist/ then stays unchanged.
 */
export function build () {
  if (!BUNDLED && existsSync(join(root, BUNDLE))) {
    // Removing the stamp recompiles the files that lead to the bundle.
    for (const path of [BUNDLE, join('dist', STAMP)]) rmSync(join(root, path), { recursive: true, force: true })
  }
  // A package or an image has no sources, or lacks the client's.
  for (const each of PACKAGES) if (existsSync(join(each.folder, 'src'))) compile(each)
  if (existsSync(join(root, 'src'))) bundle()
  if (PAGE.folders.every((folder) => existsSync(join(root, folder)))) buildPage()
}

function compile ({ folder, config, others }) {
  const dist = join(folder, 'dist')
  const sources = digest(folder, [config, ...others, ...within(folder, 'src')])
  if (read(join(dist, STAMP)) === sources) return
  const tsc = find('typescript/bin/tsc')
  if (tsc === undefined) throw new NoCompiler()

  // Other processes may run from dist/ or compile at the same time, so only complete files are moved into place.
  const staging = `${dist}.${process.pid}`
  try {
    const { status } = spawnSync(process.execPath, [tsc, '-p', config, '--outDir', staging], { cwd: folder, stdio: 'inherit' })
    if (status !== 0) throw new Error(`${join(relative(root, folder), 'src')}/ has errors`)
    writeFileSync(join(staging, STAMP), sources)
    replace(dist, staging)
    // dist/ no longer has files that lead to the bundle.
    rmSync(join(dist, 'bundle', STAMP), { force: true })
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

/**
 * Bundles the service if its sources or packages have changed. The bundle only makes starts faster: without esbuild, each file in dist/
 * is loaded by itself.
 */
function bundle () {
  if (!BUNDLED || find('esbuild') === undefined) return
  const dist = join(root, BUNDLE)
  const stamp = (packages) => digest(root, [join('dist', STAMP), 'scripts/bundle.mjs', ...packages.map((path) => join(path, 'package.json'))])
  const bundled = read(join(dist, 'contents.json'))
  if (bundled !== undefined && read(join(dist, STAMP)) === stamp(JSON.parse(bundled).packages)) return

  const staging = join(root, `dist.bundle.${process.pid}`)
  try {
    const { status } = spawnSync(process.execPath, [join(root, 'scripts/bundle.mjs'), staging], { stdio: ['inherit', 'inherit', 'ignore'] })
    if (status !== 0) {
      // `npm ci --omit=optional` leaves out esbuild's program.
      console.error('cellserve: the service is not bundled, so it starts slower: esbuild does not run')
      return
    }
    const { modules, packages } = JSON.parse(read(join(staging, 'contents.json')))
    writeFileSync(join(staging, STAMP), stamp(packages))
    replace(dist, staging)
    for (const each of modules) leadToBundle(each)
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

/** Replaces a module's file with one that loads the bundled module. */
function leadToBundle ({ module, file, exports }) {
  const path = join(root, 'dist', `${module}.js`)
  const url = `${'../'.repeat(module.split('/').length - 1) || './'}${basename(BUNDLE)}/${file}`
  const text = exports.length === 0 ? `import '${url}'\n` : `export { ${exports.join(', ')} } from '${url}'\n`
  writeFileSync(`${path}.${process.pid}`, read(path)?.startsWith('#!') ? `#!/usr/bin/env node\n${text}` : text)
  renameSync(`${path}.${process.pid}`, path)
}

/** Builds the page if it has changed. The service works without the page, so its build tools may be missing. */
function buildPage () {
  const dist = join(root, BUILT_PAGE)
  const sources = digest(root, [...PAGE.others, ...PAGE.folders.flatMap((folder) => within(root, folder))])
  if (read(join(dist, STAMP)) === sources) return
  const vite = find('vite/package.json')
  if (vite === undefined) {
    if (!existsSync(join(dist, 'index.html'))) console.error('cellserve: the page is not built: Vite, a development dependency, is not installed; `npm ci` installs it')
    return
  }

  const staging = join(root, `dist.page.${process.pid}`)
  try {
    const program = join(dirname(vite), 'bin/vite.js')
    const { status } = spawnSync(process.execPath, [program, 'build', 'page', '--outDir', staging, '--emptyOutDir', '--logLevel', 'warn'], { cwd: root, stdio: 'inherit' })
    if (status !== 0) throw new Error('page/ has errors')
    for (const file of filesOf(staging)) compress(join(staging, file))
    writeFileSync(join(staging, STAMP), sources)
    replace(dist, staging)
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

/** Compresses a file once, so that the service need not compress each answer. */
function compress (file) {
  const content = readFileSync(file)
  writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }))
  writeFileSync(`${file}.br`, brotliCompressSync(content))
}

/** Moves the built files into place: files after those that they refer to, the stamp last. */
function replace (dist, staging) {
  const files = filesOf(staging)
  for (const file of [...files.filter((each) => each !== STAMP).reverse(), STAMP]) {
    mkdirSync(dirname(join(dist, file)), { recursive: true })
    renameSync(join(staging, file), join(dist, file))
  }
  // The page and the bundle in dist/ have separate builds.
  const kept = (file) => files.includes(file) || (dist === join(root, 'dist') && [BUILT_PAGE, BUNDLE].some((other) => join('dist', file).startsWith(join(other, '/'))))
  for (const file of filesOf(dist)) if (!kept(file)) rmSync(join(dist, file), { force: true })
}

function digest (folder, files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\0`).update(read(join(folder, file)) ?? '').update('\0')
  return hash.digest('hex')
}

function within (folder, sources) {
  return filesOf(join(folder, sources)).map((file) => join(sources, file))
}

function filesOf (folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map(({ parentPath, name }) => relative(folder, join(parentPath, name))).sort()
}

function find (module) {
  try {
    return createRequire(import.meta.url).resolve(module)
  } catch {
    return undefined
  }
}

function read (file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
