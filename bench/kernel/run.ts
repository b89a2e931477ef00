/**
 * The kernel compared with its peers, all in one run:
 *
 *     npm run bench:kernel                 every shape, five rounds; writes bench/results/kernel.md and kernel.json
 *     npm run bench:kernel -- --quick      three short rounds; writes nothing
 *
 * The sides take turns within a round, so that a disturbance of the machine affects all of them. Figures are medians over the
 * rounds; ratios are medians of the ratios within a round.
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { usableCores } from '../../src/engine/cores.ts'
import { createNativeEngine } from '../../src/engine/native.ts'
import { createLimits, type Limits } from './limits.ts'
import { pythonSides } from './python.ts'
import { report, type Measured, type MeasuredRead } from './report.ts'
import { engineSides, type ReadShape, type Shape } from './sides.ts'

const SQUARE = [[1, 64], [1, 256], [1, 512], [1, 1024], [8, 64], [8, 256], [32, 256], [32, 512], [64, 1024]]
const quick = process.argv.includes('--quick')
const rounds = quick ? 3 : 5
const ms = quick ? 30 : 120

const shapes = [1, 64].flatMap((steps): Shape[] => [
  ...SQUARE.map(([rows, size]) => ({ rows, I: size, Hi: size, Ho: size, steps })),
  { rows: 8, I: 64, Hi: 128, Ho: 64, steps }
])
const readShapes = [[64, 256, 256], [8, 64, 512], [64, 1024, 256]].flatMap(([rows, supports, width]): ReadShape[] =>
  [false, true].map((own) => ({ rows, supports, width, own })))
const python = await pythonSides()
const sides = [...await engineSides(), ...python.sides]
const limits = createLimits()
const cores = usableCores()

const measured: Measured[] = []
for (const shape of shapes) {
  const weightBytes = 4 * 4 * shape.Ho * (shape.I + shape.Hi + 1)
  const us: Array<Record<string, number>> = []
  const bounds: Array<{ one: Limits, all: Limits }> = []
  for (let round = 0; round < rounds; round++) {
    const row: Record<string, number> = {}
    if (limits !== undefined) bounds.push({ one: limits(weightBytes), all: limits(weightBytes, cores) })
    for (const side of sides) {
      const time = await side.measure(shape, ms)
      if (time !== undefined) row[side.name] = time
    }
    us.push(row)
  }
  measured.push({ shape, us, bounds })
  console.log(`${JSON.stringify(shape)} ${JSON.stringify(us[0])}`)
}

const reads: MeasuredRead[] = []
for (const shape of readShapes) {
  const us: Array<Record<string, number>> = []
  for (let round = 0; round < rounds; round++) {
    const row: Record<string, number> = {}
    for (const side of sides) {
      const time = await side.measureRead(shape, ms)
      if (time !== undefined) row[side.name] = time
    }
    us.push(row)
  }
  reads.push({ shape, us })
  console.log(`${JSON.stringify(shape)} ${JSON.stringify(us[0])}`)
}
python.stop()

const machine = {
  CPU: cpus()[0]?.model ?? 'unknown',
  cores: String(cores),
  'instruction set': createNativeEngine({ threads: 1 }).backend.replace(/,.*/, ''),
  'Node.js': process.versions.node,
  ...python.versions
}
const text = report(measured, reads, machine)
console.log(`\n${text}`)
if (!quick) {
  const at = (name: string): URL => new URL(`../results/${name}`, import.meta.url)
  writeFileSync(at('kernel.md'), text)
  writeFileSync(at('kernel.json'), JSON.stringify({ machine, measured, reads }, null, 1) + '\n')
}
