/**
 * How long `cellserve import` takes for a large file of each kind, and how much memory, on Linux:
 *
 *     TEST_PYTHON=python3 npm run bench:import        writes bench/results/import.md
 *
 * `TEST_PYTHON` names a Python with keras and onnx; without it, only TensorFlow.js's model is measured.
 */
import '@tensorflow/tfjs-backend-cpu'
import { io, setBackend } from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROUNDS = 5
const UNITS = 1024
/** The size of the shards that TensorFlow.js writes. */
const SHARD = 4 << 20
/** Milliseconds between two samples of the memory. */
const LOOK = 10

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const MB = 1e6

const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
try {
  if (process.env.TEST_PYTHON !== undefined) {
    const { status } = spawnSync(process.env.TEST_PYTHON, [fileURLToPath(new URL('make.py', import.meta.url)), folder], { stdio: ['ignore', 'ignore', 'pipe'] })
    if (status !== 0) throw new Error('make.py does not run')
  }
  await makeTfjs(join(folder, 'tfjs'))

  const lines = [
    '# Importing a large file', '',
    `An LSTM of ${UNITS} units: medians of ${ROUNDS} rounds, each a process of its own, from its start to its end. The memory is the most that`,
    `that process and its children had in memory at once, shared pages counted once. Written by \`npm run bench:import\` on ${cpus()[0].model.trim()}, Node.js ${process.version}.`, '',
    '| file | MB | seconds | memory, MB | times the file |', '| --- | ---: | ---: | ---: | ---: |'
  ]
  const files = (await readdir(folder)).map((name) => name === 'tfjs' ? 'tfjs/model.json' : name)
  const sizes = await Promise.all(files.map(async (file) => await sizeOf(join(folder, file))))
  const rounds: Array<Array<{ seconds: number, bytes: number }>> = files.map(() => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, file] of files.entries()) rounds[i].push(await importOnce(join(folder, file), join(folder, 'models')))
  }
  for (const [i, file] of files.entries()) {
    const seconds = median(rounds[i].map((each) => each.seconds))
    const bytes = median(rounds[i].map((each) => each.bytes))
    lines.push(`| ${file.replace('big', '').replace('tfjs/', '')} | ${(sizes[i] / MB).toFixed(1)} | ${seconds.toFixed(2)} | ${(bytes / MB).toFixed(0)} | ${(bytes / sizes[i]).toFixed(1)} |`)
    console.log(lines[lines.length - 1])
  }
  await writeFile(new URL('../results/import.md', import.meta.url), `${lines.join('\n')}\n`)
} finally {
  await rm(folder, { recursive: true })
}

/** Writes a model as TensorFlow.js saves it. */
async function makeTfjs (into: string): Promise<void> {
  await mkdir(into)
  await setBackend('cpu')
  const model = sequential({ layers: [layers.lstm({ units: UNITS, returnSequences: true, inputShape: [null, UNITS], recurrentInitializer: 'glorotUniform' })] })
  await model.save(io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData, format, generatedBy }) => {
    const bytes = Buffer.from(weightData instanceof ArrayBuffer ? weightData : io.CompositeArrayBuffer.join(weightData))
    const paths = Array.from({ length: Math.ceil(bytes.length / SHARD) }, (_, k) => `group1-shard${k + 1}.bin`)
    await Promise.all(paths.map(async (path, k) => { await writeFile(join(into, path), bytes.subarray(k * SHARD, (k + 1) * SHARD)) }))
    await writeFile(join(into, 'model.json'), JSON.stringify({ modelTopology, format, generatedBy, weightsManifest: [{ paths, weights: weightSpecs }] }))
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } }
  }))
}

/** The size of a file and its shards, in bytes. */
async function sizeOf (file: string): Promise<number> {
  if (!file.endsWith('.json')) return (await stat(file)).size
  const names = await readdir(join(file, '..'))
  return (await Promise.all(names.map(async (name) => (await stat(join(file, '..', name))).size))).reduce((sum, size) => sum + size)
}

async function importOnce (file: string, models: string): Promise<{ seconds: number, bytes: number }> {
  const start = performance.now()
  const child = spawn(process.execPath, [MAIN, 'import', file, '--models', models, '--name', 'big'], { stdio: ['ignore', 'ignore', 'inherit'] })
  let bytes = 0
  const looks = setInterval(() => { void memoryOf(child.pid ?? 0).then((now) => { bytes = Math.max(bytes, now) }) }, LOOK)
  const [code] = await once(child, 'close')
  const seconds = (performance.now() - start) / 1000
  clearInterval(looks)
  if (code !== 0) throw new Error(`import ${file}: exit ${code}`)
  await rm(models, { recursive: true })
  return { seconds, bytes }
}

/** The memory of a process and its children, with shared pages counted once; 0 if it has ended. */
async function memoryOf (pid: number): Promise<number> {
  try {
    const [rollup, children] = await Promise.all([readFile(`/proc/${pid}/smaps_rollup`, 'utf8'), readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')])
    const own = 1024 * Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0)
    const others = await Promise.all(children.split(' ').filter((each) => each !== '').map(async (each) => await memoryOf(Number(each))))
    return others.reduce((sum, each) => sum + each, own)
  } catch {
    return 0
  }
}

function median (numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
}
