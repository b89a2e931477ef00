/**
 * How far bf16 and int8 weights move a model's numbers from those of its float32 weights:
 *
 *     npm run bench:precision      prints the table of docs/models.md
 *
 * Cells are initialized as in PyTorch, with all weights and biases uniform up to 1 / sqrt(units); x is standard normal. Each cell runs
 * 64 steps of a few rows, from zeros. The table has medians over several cells.
 */
import { createNativeEngine } from '../../src/engine/native.ts'
import { createCell, GATES, type CellKind } from '../../src/network/cell.ts'
import { bareCell } from '../../src/network/network.ts'
import { PRECISIONS, type Precision } from '../../src/network/precision.ts'
import { createRandom, randomFloats } from '../../test/support/random.ts'

const [CELLS, ROWS, STEPS] = [5, 4, 64]
const random = createRandom(17)
const engine = createNativeEngine()

interface Moved {
  readonly largest: number
  readonly typical: number
}

function normal (length: number): Float32Array {
  return Float32Array.from({ length }, () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()))
}

/** Compares a cell's output in each precision with its float32 output. */
async function measure (kind: CellKind, units: number): Promise<ReadonlyMap<Precision, Moved>> {
  const rows = GATES[kind] * units
  const uniform = (length: number): Float32Array => randomFloats(length, random, 1 / Math.sqrt(units))
  const cell = createCell({
    kind,
    sizes: { I: units, Hi: units, Ho: units },
    weightIh: uniform(rows * units),
    weightHh: uniform(rows * units),
    biasIh: uniform(rows),
    biasHh: uniform(rows)
  })
  const x = normal(STEPS * ROWS * units)
  const outputs = new Map<Precision, Float32Array>()
  for (const precision of PRECISIONS) {
    const loaded = engine.load({ ...bareCell(cell), precision })
    const batch = loaded.batch(0, ROWS)
    batch.input(0, x.length).set(x)
    const output = batch.output(0, x.length)
    await batch.advance(ROWS, STEPS, { repeated: 0, asked: 0, attention: 0 })
    outputs.set(precision, output.slice(0, x.length))
    batch.dispose()
    loaded.dispose()
  }
  const exact = outputs.get('f32') ?? new Float32Array(0)
  return new Map([...outputs].map(([precision, output]) => {
    const moved = output.map((value, i) => Math.abs(value - exact[i]))
    return [precision, { largest: moved.reduce((a, b) => Math.max(a, b)), typical: Math.sqrt(moved.reduce((sum, value) => sum + value * value, 0) / moved.length) }]
  }))
}

function median (values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
}

console.log('| units | | bf16: typical | largest | int8: typical | largest |\n| ---: | --- | ---: | ---: | ---: | ---: |')
for (const units of [64, 256, 512, 1024]) {
  for (const kind of ['lstm', 'gru', 'rnn'] as const) {
    const cells: Array<ReadonlyMap<Precision, Moved>> = []
    for (let n = 0; n < CELLS; n++) cells.push(await measure(kind, units))
    const figures = (['bf16', 'int8'] as const).flatMap((precision) =>
      (['typical', 'largest'] as const).map((figure) => median(cells.map((cell) => cell.get(precision)?.[figure] ?? NaN)).toFixed(4)))
    console.log(`| ${units} | ${kind.toUpperCase()} | ${figures.join(' | ')} |`)
  }
}
