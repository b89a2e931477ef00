import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { FastHistogram } from './fast-histogram.ts'

/** 100 us to 10 s. */
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** The label `model` of series that belong to no model; no file can have this name. */
export const NO_MODEL = 'n/a'

/** The content type that Prometheus reads. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

export interface Metrics {
  readonly register: Registry
  /** All metrics as text. */
  scrape (): Promise<string>
  /** The engine has taken `rows` rows of a model through `steps` steps each. */
  computed (model: string, rows: number, steps: number, seconds: number): void
  /** A request's first row began its first step, `secondsQueued` after the request was accepted. */
  began (model: string, secondsQueued: number): void
  /** `rows` rows of a model wait for their turn. */
  queued (model: string, rows: number): void
  /** The session store has answered a command, or failed to. */
  asked (command: string, seconds: number, failed: boolean): void
  /** A request has been answered. `rejected` is the kind of error, if it was one. */
  answered (labels: { route: string, model: string, status: number }, seconds: number, rejected: string | undefined): void
  /** What is served, read anew for each scrape. */
  serves (served: Served): void
  /** The files of a model, or of the folder, have been loaded, or could not be, or a model has been removed. */
  reloaded (model: string, result: 'loaded' | 'failed' | 'removed'): void
  /** `count` WebSockets are open. */
  sockets (count: number): void
}

export interface Served {
  readonly models: ReadonlyArray<{ readonly name: string, readonly version: string }>
  readonly faults: ReadonlyMap<string, string>
  readonly versions: number
}

/** What requests hold at the moment. */
export interface Load {
  readonly rows: number
  readonly bytes: number
}

/**
 * The metrics of a process, in base units.
 *
 * @param build labels of `cellserve_build_info`: what runs.
 */
export function createMetrics (load: Load, build: { version: string, engine: string, backend: string }): Metrics {
  const register = new Registry()
  const registers = [register]
  collectDefaultMetrics({ register })
  removeOddNames(register)

  new Gauge({ name: 'cellserve_build_info', help: 'What runs; always 1.', labelNames: ['version', 'engine', 'backend'], registers, aggregator: 'max' }).set(build, 1)
  /** `aggregator` says how the values of several processes are combined. */
  const live = (name: string, help: string, value: () => number, aggregator: 'sum' | 'max' = 'sum'): Gauge =>
    new Gauge({ name, help, registers, aggregator, collect () { this.set(value()) } })
  live('cellserve_live_rows', 'Rows in progress.', () => load.rows)
  live('cellserve_live_bytes', 'Bytes that requests hold: bodies, tensors, answers that have not been sent.', () => load.bytes)
  /** A 1 for each current set of labels. */
  const marks = (name: string, help: string, labelNames: readonly string[], labels: () => ReadonlyArray<Readonly<Record<string, string>>>): Gauge => new Gauge({
    name,
    help,
    labelNames,
    registers,
    aggregator: 'max',
    collect () {
      this.reset()
      for (const each of labels()) this.set(each, 1)
    }
  })

  const requests = new FastHistogram({
    name: 'cellserve_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer; and from a frame of a WebSocket to its answer.',
    labelNames: ['route', 'model', 'status'],
    buckets: SECONDS,
    registers
  })
  const rejected = new Counter({ name: 'cellserve_rejected_total', help: 'Rejected requests, by reason.', labelNames: ['reason'], registers })
  const queue = new FastHistogram({ name: 'cellserve_queue_duration_seconds', help: 'Time from a request\'s acceptance to its first step.', labelNames: ['model'], buckets: SECONDS, registers })
  const compute = new FastHistogram({ name: 'cellserve_compute_duration_seconds', help: 'Time of a call of the engine.', labelNames: ['model'], buckets: SECONDS, registers })
  const batch = new FastHistogram({ name: 'cellserve_batch_rows', help: 'Rows computed together.', labelNames: ['model'], buckets: [1, 2, 4, 8, 16, 32, 64, 128], registers })
  const steps = new Counter({ name: 'cellserve_steps_total', help: 'Steps computed, those of every row.', labelNames: ['model'], registers })
  const queued = new Gauge({ name: 'cellserve_queued_rows', help: 'Rows that waited for their turn when the latest batch was made.', labelNames: ['model'], registers })

  const reloads = new Counter({ name: 'cellserve_reloads_total', help: 'Files of models that were loaded while serving, or could not be, and models that were removed.', labelNames: ['model', 'result'], registers })
  const sockets = new Gauge({ name: 'cellserve_open_sockets', help: 'WebSockets that are open.', registers })
  const store = new FastHistogram({ name: 'cellserve_session_store_duration_seconds', help: 'Time until the session store answered a command.', labelNames: ['command'], buckets: SECONDS, registers })
  const failures = new Counter({ name: 'cellserve_session_store_errors_total', help: 'Commands that the session store did not answer.', labelNames: ['command'], registers })

  return {
    register,
    scrape: async () => await register.metrics(),
    computed (model, rows, count, seconds) {
      batch.record({ model }, rows)
      steps.inc({ model }, rows * count)
      compute.record({ model }, seconds)
    },
    began: (model, seconds) => queue.record({ model }, seconds),
    queued: (model, rows) => queued.set({ model }, rows),
    serves (served) {
      marks('cellserve_model_info', 'The version of each model that is served, a hash of its files.', ['model', 'version'],
        () => served.models.map(({ name, version }) => ({ model: name, version })))
      marks('cellserve_model_fault', '1 for each model whose newest files cannot be served; another version may be.', ['model'],
        () => [...served.faults.keys()].map((model) => ({ model })))
      live('cellserve_model_versions', 'Versions of models in memory, with those that only end what they have begun.', () => served.versions, 'max')
    },
    reloaded: (model, result) => reloads.inc({ model, result }),
    sockets: (count) => sockets.set(count),
    asked (command, seconds, failed) {
      store.record({ command }, seconds)
      if (failed) failures.inc({ command })
    },
    answered (labels, seconds, reason) {
      requests.record(labels, seconds)
      if (reason !== undefined) rejected.inc({ reason })
    }
  }
}

/** Removes gauges that have the names of counters; other metrics report the same by kind. */
export function removeOddNames (register: Registry): void {
  for (const kind of ['handles', 'requests', 'resources']) register.removeSingleMetric(`nodejs_active_${kind}_total`)
}
