/**
 * How fast `cellserve encode` is, and how much memory it takes, compared with PyTorch with packed batches, on Linux:
 *
 *     TEST_PYTHON=python3 npm run bench:encode            writes bench/results/encode.md
 *     TEST_PYTHON=python3 npm run bench:encode -- 20000   the same with fewer sequences
 *
 * `TEST_PYTHON` names a Python with torch and safetensors; without it, cellserve is measured alone. Every time is that of a process
 * from start to end, except that PyTorch's excludes the import of torch.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeFloats } from '../../src/tensor/dtypes.ts'
import { parseSafetensors, storeFloats, writeSafetensors } from '../../src/tensor/safetensors.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const N = Number(process.argv[2] ?? 100_000)
const ROUNDS = 3
const I = 32
const H = 128
const THREADS = Math.min(2, availableParallelism())
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const PEER = fileURLToPath(new URL('peer.py', import.meta.url))
const python = process.env.TEST_PYTHON
/** Milliseconds between two samples of the memory. */
const LOOK = 20

interface Run {
  readonly seconds: number
  /** The peak memory, in bytes. */
  readonly bytes: number
}

const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
try {
  const model = join(folder, 'lstm.safetensors')
  await writeFile(model, Buffer.concat(writeSafetensors(Object.entries({ weight_ih_l0: [4 * H, I], weight_hh_l0: [4 * H, H], bias_ih_l0: [4 * H], bias_hh_l0: [4 * H] })
    .map(([name, shape]) => [name, storeFloats(random(shape, 1 / Math.sqrt(H)))]))))
  let torch = ''
  const lines: string[] = []
  for (const [what, lengthOf] of [['1 to 99 steps', (i: number) => 1 + i * 7919 % 99], ['50 steps each', () => 50]] as const) {
    const lengths = Array.from({ length: N }, (_, i) => lengthOf(i))
    const steps = lengths.reduce((a, b) => a + b)
    const input = join(folder, 'in.safetensors')
    await writeInput(input, lengths, steps)
    await writeText(join(folder, 'in.ndjson'), lengths.slice(0, Math.ceil(N / 5)))
    const encodes: Run[] = []
    const texts: Run[] = []
    const peers: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      encodes.push(await encode(folder, 'in.safetensors', 'out.safetensors'))
      texts.push(await encode(folder, 'in.ndjson', 'out.ndjson'))
      if (python === undefined) continue
      const { status, stdout } = spawnSync(python, [PEER, model, input, join(folder, 'peer.safetensors'), String(THREADS)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
      if (status !== 0) throw new Error('peer.py does not run')
      const { seconds, version }: { seconds: number, version: string } = JSON.parse(stdout)
      peers.push(seconds)
      torch = version
    }
    if (python !== undefined) await compare(join(folder, 'out.safetensors'), join(folder, 'peer.safetensors'))
    const [seconds, text, peer] = [encodes.map((run) => run.seconds), texts.map((run) => run.seconds), peers].map(median)
    const bytes = Math.max(...encodes.map((run) => run.bytes))
    const line = (name: string, rows: number, all: number, time: number, memory: string): string => `| ${what} | ${name} | ${(rows / time).toFixed(0)} | ${(all / time / 1e6).toFixed(2)} | ${memory} | ${peers.length > 0 ? `${(peer / time * (rows / N)).toFixed(2)}x` : ''} |`
    lines.push(line('safetensors', N, steps, seconds, (bytes / 1e6).toFixed(0)))
    const share = lengths.slice(0, Math.ceil(N / 5))
    lines.push(line('NDJSON', share.length, share.reduce((a, b) => a + b), text, (Math.max(...texts.map((run) => run.bytes)) / 1e6).toFixed(0)))
    if (peers.length > 0) lines.push(line(`PyTorch ${torch}`, N, steps, peer, ''))
    console.log(lines.join('\n'))
  }
  await writeFile(new URL('../results/encode.md', import.meta.url), [
    '# Encoding a file of sequences', '',
    `${N} sequences through an LSTM of ${H} units that reads ${I} numbers, ${THREADS} threads: medians of ${ROUNDS} rounds that alternate. PyTorch takes batches of 64 rows of like`,
    'length, packed. NDJSON is a fifth of the rows. The memory is the most that the process had. Written by `npm run bench:encode` on',
    `${cpus()[0].model.trim()}, Node.js ${process.version}.`, '',
    '| rows | format | sequences a second | million steps a second | memory, MB | against PyTorch |', '| --- | --- | ---: | ---: | ---: | ---: |', ...lines, ''
  ].join('\n'))
} finally {
  await rm(folder, { recursive: true })
}

function random (shape: readonly number[], scale: number): Tensor {
  return new Tensor(shape, Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => (2 * Math.random() - 1) * scale))
}

/** Writes the rows one after the other, `x` and `lengths`, in pieces that fit in memory. */
async function writeInput (path: string, lengths: readonly number[], steps: number): Promise<void> {
  const size = steps * I * 4
  const header = JSON.stringify({ x: { dtype: 'F32', shape: [steps, I], data_offsets: [0, size] }, lengths: { dtype: 'I64', shape: [lengths.length], data_offsets: [size, size + 8 * lengths.length] } })
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8)
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(padded.length))
  const stream = createWriteStream(path)
  stream.write(Buffer.concat([prefix, Buffer.from(padded)]))
  for (let left = steps; left > 0;) {
    const some = Math.min(left, 2 ** 15)
    if (!stream.write(new Uint8Array(random([some, I], 1).data.buffer))) await once(stream, 'drain')
    left -= some
  }
  stream.end(new Uint8Array(BigInt64Array.from(lengths, BigInt).buffer))
  await once(stream, 'close')
}

async function writeText (path: string, lengths: readonly number[]): Promise<void> {
  const stream = createWriteStream(path)
  for (const [i, length] of lengths.entries()) {
    const x = Array.from({ length }, () => Array.from({ length: I }, () => Number((2 * Math.random() - 1).toFixed(6))))
    if (!stream.write(`${JSON.stringify({ id: i, x })}\n`)) await once(stream, 'drain')
  }
  stream.end()
  await once(stream, 'close')
}

async function encode (folder: string, input: string, output: string): Promise<Run> {
  const start = performance.now()
  const args = ['encode', 'lstm', '--models', folder, '--in', join(folder, input), '--out', join(folder, output), '--overwrite', '--quiet', '--threads', String(THREADS)]
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  let bytes = 0
  const looks = setInterval(() => { void memoryOf(child.pid ?? 0).then((now) => { bytes = Math.max(bytes, now) }) }, LOOK)
  const [code] = await once(child, 'close')
  clearInterval(looks)
  if (code !== 0) throw new Error(`encode ${input}: exit ${code}`)
  return { seconds: (performance.now() - start) / 1000, bytes }
}

/** A process's peak memory; 0 if it has ended. */
async function memoryOf (pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0)
}

/** @throws Error if the two files have different answers. */
async function compare (a: string, b: string): Promise<void> {
  const [own, other] = await Promise.all([a, b].map(async (path) => {
    const tensor = parseSafetensors(await readFile(path)).get('h_out')
    return decodeFloats('F32', tensor?.bytes ?? new Uint8Array()) ?? new Float32Array()
  }))
  const odd = own.findIndex((value, i) => !(Math.abs(value - other[i]) < 1e-4))
  if (own.length !== other.length || odd >= 0) throw new Error(`${own.length} numbers and ${other.length}; number ${odd} is ${own[odd]} and ${other[odd]}`)
}

function median (numbers: readonly number[]): number {
  return numbers.toSorted((x, y) => x - y)[Math.floor(numbers.length / 2)]
}
