// Compiles src/ to dist/, unless dist/ was compiled from the same sources; and so the client in clients/typescript/. And builds the
// page in page/ to dist/page/.
//
//     node scripts/build.mjs                  fails if there is no compiler
//     node scripts/build.mjs --if-possible    says so and continues: an install without development dependencies has none

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
/** What is compiled: the sources of a folder to its dist/, by a configuration of the compiler. */
const PACKAGES = [
  { folder: root, config: 'tsconfig.build.json', others: ['tsconfig.json', 'node_modules/typebox/package.json'] },
  { folder: join(root, 'clients/typescript'), config: 'tsconfig.json', others: ['../../tsconfig.json'] }
]
/** What the page is built of: its own files, those of the client that it calls the service with, and packages. */
const PAGE = {
  folders: ['page', 'clients/typescript/src'],
  others: ['vite', 'preact', '@preact/signals'].map((name) => `node_modules/${name}/package.json`)
}
/** The digest of the sources that dist/ was compiled from. Times would not work, because a copy of a checkout has new ones. */
const STAMP = '.sources'
const BUILT_PAGE = 'dist/page'

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
 * @throws NoCompiler if there is none, Error if they do not compile; dist/ is then as it was.
 */
export function build () {
  // A package or an image has no sources, or not those of the client.
  for (const each of PACKAGES) if (existsSync(join(each.folder, 'src'))) compile(each)
  if (PAGE.folders.every((folder) => existsSync(join(root, folder)))) buildPage()
}

function compile ({ folder, config, others }) {
  const dist = join(folder, 'dist')
  const sources = digest(folder, [config, ...others, ...within(folder, 'src')])
  if (read(join(dist, STAMP)) === sources) return
  const tsc = find('typescript/bin/tsc')
  if (tsc === undefined) throw new NoCompiler()

  // Other processes may run from dist/ or compile at the same time, so each file is moved into place complete.
  const staging = `${dist}.${process.pid}`
  try {
    const { status } = spawnSync(process.execPath, [tsc, '-p', config, '--outDir', staging], { cwd: folder, stdio: 'inherit' })
    if (status !== 0) throw new Error(`${join(relative(root, folder), 'src')}/ has errors`)
    inline(join(staging, 'tensor/typebox.js'))
    writeFileSync(join(staging, STAMP), sources)
    replace(dist, staging)
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

/** Makes one file of a module and the package typebox, with its licence. It is only faster: without esbuild the package loads as it is. */
function inline (file) {
  const esbuild = find('esbuild')
  if (!existsSync(file) || esbuild === undefined) return
  const licence = readFileSync(join(root, 'node_modules/typebox/license'), 'utf8').trim()
  const { buildSync } = createRequire(import.meta.url)(esbuild)
  try {
    buildSync({ entryPoints: [file], outfile: file, allowOverwrite: true, bundle: true, format: 'esm', platform: 'node', target: 'node20', banner: { js: `/*\n${licence}\n*/` }, logLevel: 'silent' })
    rmSync(`${file}.map`)
  } catch {
    // `npm ci --omit=optional` leaves out its program.
  }
}

/** Builds the page if it has changed. The service does without one, so what it takes may be missing. */
function buildPage () {
  const dist = join(root, BUILT_PAGE)
  const sources = digest(root, [...PAGE.others, ...PAGE.folders.flatMap((folder) => within(root, folder))])
  if (read(join(dist, STAMP)) === sources) return
  const vite = find('vite/package.json')
  if (vite === undefined) {
    console.error('cellserve: the page is not built: Vite, a development dependency, is not installed; `npm ci` installs it')
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

/** Once, so that the service need not do so for each of its answers. */
function compress (file) {
  const content = readFileSync(file)
  writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }))
  writeFileSync(`${file}.br`, brotliCompressSync(content))
}

/** Moves what was made into its place: what refers to others after them, the stamp last. */
function replace (dist, staging) {
  const files = filesOf(staging)
  for (const file of [...files.filter((each) => each !== STAMP).reverse(), STAMP]) {
    mkdirSync(dirname(join(dist, file)), { recursive: true })
    renameSync(join(staging, file), join(dist, file))
  }
  // The page in dist/ has a build of its own.
  const kept = (file) => files.includes(file) || (dist === join(root, 'dist') && join('dist', file).startsWith(join(BUILT_PAGE, '/')))
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
