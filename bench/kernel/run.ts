/**
 * The kernel compared with its peers, in one run or in two:
 *
 *     npm run bench:kernel                 every table, three rounds; writes kernel.md, networks.md, precisions.md and their JSON to bench/results
 *     npm run bench:kernel -- cells        only those of bench/results/kernel.md
 *     npm run bench:kernel -- networks     only those of bench/results/networks.md: attention reads, and networks
 *     npm run bench:kernel -- precisions   only those of bench/results/precisions.md: bf16 and int8 weights against float32
 *     npm run bench:kernel -- --quick      shorter rounds; writes nothing
 *
 * The sides take turns within a round, so that a disturbance of the machine affects all of them. Figures are medians over the
 * rounds; ratios are medians of the ratios within a round.
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { usableCores } from '../../src/engine/cores.ts'
import { createNativeEngine } from '../../src/engine/native.ts'
import { createLimits, type Limits } from './limits.ts'
import { networkShapes } from './networks.ts'
import { pythonSides } from './python.ts'
import { reportCells, reportNetworks, reportPrecisions, type Measured, type Rounds } from './report.ts'
import { engineSides, precisionSides, type ReadShape, type Shape, type Side } from './sides.ts'

const SQUARE = [[1, 64], [1, 256], [1, 512], [1, 1024], [8, 64], [8, 256], [32, 256], [32, 512], [64, 1024]]
const quick = process.argv.includes('--quick')
const rounds = 3
const ms = quick ? 30 : 75

const shapes = [1, 64].flatMap((steps): Shape[] => [
  // 64 steps of the largest shape would take the Python peers minutes.
  ...(steps === 1 ? SQUARE : SQUARE.slice(0, -1)).map(([rows, size]) => ({ rows, I: size, Hi: size, Ho: size, steps })),
  { rows: 8, I: 64, Hi: 128, Ho: 64, steps }
])
const readShapes = [[64, 256, 256], [8, 64, 512], [64, 1024, 256]].flatMap(([rows, supports, width]): ReadShape[] =>
  [false, true].map((own) => ({ rows, supports, width, own })))
const cores = usableCores()
const tables = ['cells', 'networks', 'precisions'].filter((name) => process.argv.includes(name))
const isWanted = (name: string): boolean => tables.length === 0 || tables.includes(name)
const withPeers = isWanted('cells') || isWanted('networks')
const python = withPeers ? await pythonSides(1) : undefined
const sides = python === undefined ? [] : [...await engineSides(), ...python.sides]
const limits = createLimits()

/** One time for each side that supports the shape. */
async function round (shape: Parameters<Side['measure']>[0], by: readonly Side[] = sides): Promise<Record<string, number>> {
  const row: Record<string, number> = {}
  for (const side of by) {
    const time = await side.measure(shape, ms)
    if (time !== undefined) row[side.name] = time
  }
  return row
}

async function measureAll<S extends Parameters<Side['measure']>[0]> (shapes: readonly S[], by: readonly Side[]): Promise<Array<Rounds<S>>> {
  const all: Array<Rounds<S>> = []
  for (const shape of shapes) {
    const us: Array<Record<string, number>> = []
    for (let n = 0; n < rounds; n++) us.push(await round(shape, by))
    all.push({ shape, us })
    console.log(`${JSON.stringify(shape)} ${JSON.stringify(us[0])}`)
  }
  return all
}

async function measureCells (): Promise<Measured[]> {
  const measured: Measured[] = []
  for (const shape of shapes) {
    const weightBytes = 4 * 4 * shape.Ho * (shape.I + shape.Hi + 1)
    const us: Array<Record<string, number>> = []
    const bounds: Array<{ one: Limits, all: Limits }> = []
    for (let n = 0; n < rounds; n++) {
      if (limits !== undefined) bounds.push({ one: limits(weightBytes), all: limits(weightBytes, cores) })
      us.push(await round(shape))
    }
    measured.push({ shape, us, bounds })
    console.log(`${JSON.stringify(shape)} ${JSON.stringify(us[0])}`)
  }
  return measured
}

const machine = {
  CPU: cpus()[0]?.model ?? 'unknown',
  cores: String(cores),
  'instruction set': createNativeEngine({ threads: 1 }).backend.replace(/,.*/, ''),
  'Node.js': process.versions.node,
  ...python?.versions
}

function write (name: string, text: string, results: object): void {
  console.log(`\n${text}`)
  if (quick) return
  const at = (file: string): URL => new URL(`../results/${file}`, import.meta.url)
  writeFileSync(at(`${name}.md`), text)
  writeFileSync(at(`${name}.json`), JSON.stringify({ machine, ...results }, null, 1) + '\n')
}

if (isWanted('cells')) {
  const measured = await measureCells()
  write('kernel', reportCells(measured, machine), { measured })
}
if (isWanted('networks')) {
  const threaded = cores > 1 ? await pythonSides(cores) : undefined
  const reads = await measureAll(readShapes, sides)
  const networks = await measureAll(networkShapes, [...sides, ...threaded?.sides ?? []])
  threaded?.stop()
  write('networks', reportNetworks(reads, networks, machine), { reads, networks })
}
if (isWanted('precisions')) {
  const precisions = await measureAll(SQUARE.map(([rows, size]) => ({ rows, I: size, Hi: size, Ho: size, steps: 64 })), precisionSides())
  write('precisions', reportPrecisions(precisions, machine), { precisions })
}
python?.stop()
