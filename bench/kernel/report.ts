import type { Limits } from './limits.ts'
import { titleOf, type NetworkShape } from './networks.ts'
import type { ReadShape, Shape } from './sides.ts'

/** The rounds of one shape: each side's microseconds per step or read. */
export interface Rounds<S> {
  readonly shape: S
  readonly us: ReadonlyArray<Readonly<Record<string, number>>>
}

/** The rounds of one shape, with the machine's limits at that moment. */
export interface Measured extends Rounds<Shape> {
  readonly bounds: ReadonlyArray<{ readonly one: Limits, readonly all: Limits }>
}

type Machine = Readonly<Record<string, string>>

const heading = (title: string, command: string, machine: Machine): string[] =>
  [`# ${title}`, `Made by \`npm run bench:kernel -- ${command}\`. ${Object.entries(machine).map(([name, value]) => `${name}: ${value}`).join('; ')}.`]

/** Attention reads and networks as Markdown: times and ratios. */
export function reportNetworks (reads: ReadonlyArray<Rounds<ReadShape>>, networks: ReadonlyArray<Rounds<NetworkShape>>, machine: Machine): string {
  return [
    ...heading('Networks benchmark', 'networks', machine),
    '## An attention read: microseconds, and how many times faster is native, on one thread', tableOfReads(reads),
    '## Networks: microseconds a step, through model and scheduler if nothing else is said', tableOfNetworks(networks)
  ].join('\n\n') + '\n'
}

/** Weight precisions as Markdown: times and ratios. */
export function reportPrecisions (measured: ReadonlyArray<Rounds<Shape>>, machine: Machine): string {
  const names = namesOf(measured)
  const others = names.filter((name) => name !== 'f32')
  return [
    ...heading('Precisions benchmark', 'precisions', machine),
    '## T = 64, on one thread: microseconds a step, and how many times faster than float32 weights',
    table(['B, I/Hi/Ho', ...names, ...others.map((name) => `${name} against f32`)], measured.map((m) =>
      [title(m.shape), ...names.map((name) => time(median(column(m, name)))), ...others.map((name) => times(ratio(m, 'f32', name)))]))
  ].join('\n\n') + '\n'
}

/** Cells as Markdown: times, ratios, and the distance to the machine's limits. */
export function reportCells (measured: readonly Measured[], machine: Machine): string {
  const parts = heading('Kernel benchmark', 'cells', machine)
  for (const steps of [1, 64]) {
    const here = measured.filter(({ shape }) => shape.steps === steps)
    const names = namesOf(here)
    const all = names.find((name) => name.startsWith('native,'))
    parts.push(`## T = ${steps}: microseconds a step`,
      table(['B, I/Hi/Ho', ...names], here.map((m) => [title(m.shape), ...names.map((name) => time(median(column(m, name))))])))

    const rivals = names.filter((name) => !name.startsWith('native'))
    const ratios = here.map((m) => [title(m.shape), ...rivals.map((name) => times(ratio(m, name, 'native')))])
    if (rivals.length > 0) parts.push(`## T = ${steps}: how many times faster is native, on one thread`, table(['B, I/Hi/Ho', ...rivals], ratios))

    if (here.some(({ bounds }) => bounds.length > 0)) {
      parts.push(`## T = ${steps}: beside the limits of the machine`, table(
        ['B, I/Hi/Ho', 'time / reading the weights once', 'of the peak of multiply-adds', 'all threads against one', 'peak: all against one', 'reading: all against one'],
        here.map((m) => [title(m.shape),
          times(against(m, (us, { one }) => us / (weightBytes(m.shape) / one.readGBs / 1e3))),
          percent(against(m, (us, { one }) => operations(m.shape) / us / 1e3 / one.gflops)),
          all === undefined ? '' : times(ratio(m, 'native', all)),
          times(median(m.bounds.map(({ one, all }) => all.gflops / one.gflops))),
          times(median(m.bounds.map(({ one, all }) => all.readGBs / one.readGBs)))])))
    }
  }
  return parts.join('\n\n') + '\n'
}

function tableOfReads (reads: ReadonlyArray<Rounds<ReadShape>>): string {
  const names = namesOf(reads)
  const others = names.filter((name) => name !== 'native')
  return table(['B, N x D', ...names, ...others.map((name) => `against ${name}`)], reads.map((m) => {
    const { rows, supports, width, own } = m.shape
    const title = `${rows}, ${supports} x ${width}, ${own ? 'each its own' : 'shared'}`
    return [title, ...names.map((name) => time(median(column(m, name)))), ...others.map((name) => times(ratio(m, name, 'native')))]
  }))
}

/** Compares with the faster of the peers in each round, on as many threads. */
function tableOfNetworks (networks: ReadonlyArray<Rounds<NetworkShape>>): string {
  const names = namesOf(networks)
  const kinds = ['', ...new Set(names.map((name) => /, \d+ threads$/.exec(name)?.[0] ?? ''))].filter((kind, i, all) => all.indexOf(kind) === i)
  const isPeer = (name: string): boolean => !name.startsWith('native')
  const best = (row: Readonly<Record<string, number>>, kind: string): number =>
    Math.min(...Object.keys(row).filter((name) => isPeer(name) && (kind === '' ? !name.endsWith('threads') : name.endsWith(kind))).map((name) => row[name]))
  const against = kinds.map((kind) => [`native${kind}`, kind] as const)
  return table(['network, B, T', ...names, ...against.map(([name, kind]) => `${name}, against the better peer${kind}`)], networks.map((m) => [
    `${titleOf(m.shape)}; ${m.shape.rows}, ${m.shape.steps}`,
    ...names.map((name) => time(median(column(m, name)))),
    ...against.map(([name, kind]) => times(median(m.us.map((row) => best(row, kind) / row[name]))))
  ]))
}

const namesOf = (all: ReadonlyArray<Rounds<unknown>>): string[] => [...new Set(all.flatMap(({ us }) => us.flatMap((row) => Object.keys(row))))]
const weightBytes = ({ I, Hi, Ho }: Shape): number => 4 * 4 * Ho * (I + Hi + 1)
const operations = ({ rows, I, Hi, Ho }: Shape): number => 2 * rows * 4 * Ho * (I + Hi)
const title = ({ rows, I, Hi, Ho }: Shape): string => I === Hi && Hi === Ho ? `${rows}, ${Ho}` : `${rows}, ${I}/${Hi}/${Ho}`

const column = ({ us }: Pick<Rounds<unknown>, 'us'>, name: string): number[] => us.map((row) => row[name])
const ratio = (m: Pick<Rounds<unknown>, 'us'>, of: string, to: string): number => median(m.us.map((row) => row[of] / row[to]))
const against = (m: Measured, figure: (us: number, bound: Measured['bounds'][number]) => number): number =>
  median(m.bounds.map((bound, round) => figure(m.us[round].native, bound)))

function median (values: readonly number[]): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}

const digits = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)
const time = (value: number): string => Number.isNaN(value) ? '' : digits(value)
const times = (value: number): string => Number.isNaN(value) ? '' : `${digits(value)}x`
const percent = (value: number): string => Number.isNaN(value) ? '' : `${(value * 100).toFixed(0)} %`

function table (head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => i === 0 ? '---' : '---:')), ...rows.map(line)].join('\n')
}
