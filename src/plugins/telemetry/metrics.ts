import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Admission } from '../../scheduler/admission.ts'
import type { Meter } from '../../scheduler/meter.ts'

/** 100 us to 10 s. */
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export interface Metrics {
  readonly register: Registry
  /** What the schedulers tell. */
  readonly meter: Meter
  /** A request has been answered. `rejected` is the kind of refusal, where it was one. */
  answered (labels: { route: string, model: string, status: number }, seconds: number, rejected: string | undefined): void
}

/**
 * The metrics of a process, in base units.
 *
 * @param build what runs, as labels of `cellserve_build_info`.
 */
export function createMetrics (admission: Admission, build: { version: string, engine: string, backend: string }): Metrics {
  const register = new Registry()
  const registers = [register]
  collectDefaultMetrics({ register, prefix: 'cellserve_' })

  new Gauge({ name: 'cellserve_build_info', help: 'What runs; always 1.', labelNames: ['version', 'engine', 'backend'], registers }).set(build, 1)
  const live = (name: string, help: string, value: () => number): Gauge =>
    new Gauge({ name, help, registers, collect () { this.set(value()) } })
  live('cellserve_live_rows', 'Rows in work.', () => admission.rows)
  live('cellserve_live_bytes', 'Bytes that requests hold: bodies, tensors, answers that have not been sent.', () => admission.bytes)

  const requests = new Histogram({
    name: 'cellserve_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer.',
    labelNames: ['route', 'model', 'status'],
    buckets: SECONDS,
    registers
  })
  const rejected = new Counter({ name: 'cellserve_rejected_total', help: 'Requests refused, by reason.', labelNames: ['reason'], registers })
  const queue = new Histogram({ name: 'cellserve_queue_duration_seconds', help: 'Time from a request\'s acceptance to its first step.', buckets: SECONDS, registers })
  const compute = new Histogram({ name: 'cellserve_compute_duration_seconds', help: 'Time of a call of the engine.', buckets: SECONDS, registers })
  const batch = new Histogram({ name: 'cellserve_batch_rows', help: 'Rows computed together.', buckets: [1, 2, 4, 8, 16, 32, 64, 128], registers })
  const steps = new Counter({ name: 'cellserve_steps_total', help: 'Steps computed, those of every row.', registers })
  const queued = new Gauge({ name: 'cellserve_queued_rows', help: 'Rows that waited for their turn when the latest batch was made.', registers })

  return {
    register,
    meter: {
      computed (rows, count, seconds) {
        batch.observe(rows)
        steps.inc(rows * count)
        compute.observe(seconds)
      },
      began: (seconds) => queue.observe(seconds),
      queued: (rows) => queued.set(rows)
    },
    answered (labels, seconds, reason) {
      requests.observe(labels, seconds)
      if (reason !== undefined) rejected.inc({ reason })
    }
  }
}
