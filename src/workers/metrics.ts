import { removeOddNames } from '../plugins/telemetry/metrics.ts'
import { AggregatorRegistry, collectDefaultMetrics, Counter, Gauge, Registry, type MetricObjectWithValues, type MetricValue } from 'prom-client'

/** The metrics of one process at one point in time. */
export type Snapshot = ReadonlyArray<MetricObjectWithValues<MetricValue<string>>>

/** The metrics of several processes, as if they were one. */
export interface PrimaryMetrics {
  /** The text that Prometheus reads: the primary's own metrics, and the latest known ones of each worker. */
  text (): Promise<string>
  /** The same as data. */
  snapshot (): Promise<Snapshot>
  /** Stores what a worker has counted so far. */
  take (worker: number, snapshot: Snapshot): void
  /** A worker has ended: its counts stay, so that nothing goes backwards; its gauges are dropped. */
  end (worker: number): Promise<void>
  /** Another worker takes its place. */
  restarted (): void
}

/** @param workers returns how many workers serve. */
export function createPrimaryMetrics (workers: () => number): PrimaryMetrics {
  const register = new Registry()
  const registers = [register]
  collectDefaultMetrics({ register })
  removeOddNames(register)
  const serving = new Gauge({ name: 'cellserve_workers', help: 'Workers that serve.', registers })
  const restarts = new Counter({ name: 'cellserve_worker_restarts_total', help: 'Workers that ended before the service did, and whose place another took.', registers })
  const latest = new Map<number, Snapshot>()
  let ended: Snapshot = []

  async function total (): Promise<Registry> {
    serving.set(workers())
    return sumOf([await register.getMetricsAsJSON(), ...latest.values(), ended])
  }

  return {
    text: async () => await (await total()).metrics(),
    snapshot: async () => await (await total()).getMetricsAsJSON(),
    take (worker, snapshot) { latest.set(worker, snapshot) },
    async end (worker) {
      const last = latest.get(worker) ?? []
      latest.delete(worker)
      ended = await sumOf([ended, last.filter(({ type }) => COUNTS.has(String(type)))]).getMetricsAsJSON()
    },
    restarted: () => restarts.inc()
  }
}

const COUNTS: ReadonlySet<string> = new Set(['counter', 'histogram'])

function sumOf (snapshots: readonly Snapshot[]): Registry {
  return AggregatorRegistry.aggregate(snapshots.map((snapshot) => snapshot.map((metric) => ({ ...metric, aggregator: TOTALS[metric.aggregator] ?? metric.aggregator }))))
}

/** Replaces prom-client's aggregation: takes the start of the first process, and the event loop that lags most. */
const TOTALS: Readonly<Record<string, 'min' | 'max'>> = { omit: 'min', average: 'max' }
