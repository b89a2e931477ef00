/**
 * How long a start takes until requests are answered, with the demo models, and how much memory is resident then; compared with a bare
 * Fastify and Node.js's `http`:
 *
 *     npm run bench:start                 eleven starts of each by turns; writes bench/results/start.md
 *     npm run bench:start -- --quick      one of each; writes nothing
 *
 * It fails if the service takes more than its budget.
 */
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { startBare, startCellserve, type Server } from '../load/servers.ts'
import { median } from '../models.ts'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 1 : 11
/** The most that a start may take, as a multiple of bare Fastify's: such ratios depend less on the machine than milliseconds do. */
const BUDGET = { ready: 2.2, memory: 1.35 }

const models = fileURLToPath(new URL('../../models', import.meta.url))
const SIDES: ReadonlyArray<() => Promise<Server>> = [async () => await startCellserve('cellserve', models), async () => await startBare('fastify'), async () => await startBare('http')]

interface Start {
  readonly name: string
  /** Milliseconds until it listens. */
  readonly ready: number
  /** Milliseconds of CPU time by then. */
  readonly cpu: number
  /** Resident memory by then, in MiB. */
  readonly memory: number
}

async function measure (start: () => Promise<Server>): Promise<Start> {
  const before = performance.now()
  const server = await start()
  const ready = performance.now() - before
  const measured = { name: server.name, ready, cpu: 1000 * await server.cpu(), memory: await server.memory() }
  await server.stop()
  return measured
}

const rounds: Start[][] = []
for (let round = 0; round < ROUNDS; round++) {
  const starts: Start[] = []
  for (const side of SIDES) starts.push(await measure(side))
  rounds.push(starts)
}

type Figure = 'ready' | 'cpu' | 'memory'
const figure = (side: number, name: Figure): number => median(rounds.map((starts) => starts[side][name]))
const against = (side: number, name: Figure): number => median(rounds.map((starts) => starts[0][name] / starts[side][name]))
const [cellserve, fastify] = [0, 1]

const lines = [
  '# Start',
  '',
  `${cpus()[0].model}, ${cpus().length} cores; Node.js ${process.versions.node}; the demo models; ${ROUNDS} starts of each by turns, medians. Written by \`npm run bench:start\`.`,
  '',
  '| | ready, ms | CPU, ms | resident, MiB | cellserve against it: ready | CPU | resident |',
  '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
  ...SIDES.map((_, side) => `| ${rounds[0][side].name} | ${figure(side, 'ready').toFixed(0)} | ${figure(side, 'cpu').toFixed(0)} | ${figure(side, 'memory').toFixed(0)} | ` +
    `${side === cellserve ? ' | | |' : `${against(side, 'ready').toFixed(2)}x | ${against(side, 'cpu').toFixed(2)}x | ${against(side, 'memory').toFixed(2)}x |`}`),
  '',
  `The budget is ${BUDGET.ready} times a bare Fastify's time, and ${BUDGET.memory} times its memory.`
]
console.log(lines.join('\n'))
if (!quick) await writeFile(new URL('../results/start.md', import.meta.url), lines.join('\n') + '\n')

for (const [name, most] of [['ready', BUDGET.ready], ['memory', BUDGET.memory]] as const) {
  if (against(fastify, name) > most) throw new Error(`${name}: ${against(fastify, name).toFixed(2)} times a bare Fastify's, more than the budget of ${most}`)
}
