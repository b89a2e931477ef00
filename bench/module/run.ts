/**
 * The cost of running a model's feedback.mjs in a separate process: the round-trip time of a call, by the number of rows.
 *
 *     npm run bench:module               writes bench/results/module.md
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startModule } from '../../src/model/policies/module/host.ts'
import { createCell } from '../../src/network/cell.ts'
import { bareCell, PLAIN } from '../../src/network/network.ts'
import { States } from '../../src/network/states.ts'
import { compileStage } from '../../src/engine/program.ts'
import { unboundCall } from '../../src/model/call.ts'

const CALLS = 4000
/** The first calls compile the code. */
const WARM = 1000

const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
const path = join(folder, 'feedback.mjs')
await writeFile(path, 'export const feedback = ({ h }) => { const next = new Float32Array(2 * h.length); next.set(h); next.set(h, h.length); return next }')

const lines = [
  '# A feedback.mjs in a process of its own', '',
  `Microseconds of a call of the function for so many rows, from the service and back; \`h_in = [h, h]\`. Written by \`npm run bench:module\` on ${cpus()[0].model.trim()}, Node.js ${process.version}.`, '',
  '| units | rows | p50 | p99 | p50 a row |', '| ---: | ---: | ---: | ---: | ---: |'
]
for (const units of [64, 256, 1024]) {
  const sizes = { I: units, Hi: 2 * units, Ho: units }
  const host = await startModule({ path, sizes, tensors: () => [] }, { timeout: 10, memory: 256, report: (error) => { throw error } })
  const cell = createCell({
    sizes,
    weightIh: new Float32Array(4 * units * units),
    weightHh: new Float32Array(8 * units * units),
    biasIh: new Float32Array(4 * units),
    biasHh: new Float32Array(4 * units)
  })
  const [stage] = bareCell(cell, { ...PLAIN, h: 'host' }).stages
  const { state } = compileStage(stage)
  for (const rows of [1, 8, 64]) {
    const states = new States(state, rows)
    const x = new Float32Array(units)
    const all = Array.from({ length: rows }, (_, row) => row)
    const request = host.open({}, { lengths: all.map(() => Infinity), before: all.map(() => 0), state: (row, name) => states.of(row, name), x: () => x }, unboundCall())
    const times: number[] = []
    for (let t = 0; t < WARM + CALLS; t++) {
      // As in the service, there is a turn of the event loop between two calls.
      await new Promise(setImmediate)
      const start = performance.now()
      await request.feed(all, all.map(() => t))
      if (t >= WARM) times.push(1000 * (performance.now() - start))
    }
    request.close()
    times.sort((a, b) => a - b)
    const at = (share: number): number => times[Math.floor(times.length * share)]
    lines.push(`| ${units} | ${rows} | ${at(0.5).toFixed(0)} | ${at(0.99).toFixed(0)} | ${(at(0.5) / rows).toFixed(1)} |`)
    console.log(lines[lines.length - 1])
  }
  await host.close()
}
await writeFile('bench/results/module.md', `${lines.join('\n')}\n`)
await rm(folder, { recursive: true })
