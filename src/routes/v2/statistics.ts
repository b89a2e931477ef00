import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import type { Model } from '../../model/model.ts'
import type { Registry } from '../../model/registry.ts'
import { findModel, sendObject, withVersion } from './models.ts'

/** The metrics of all serving processes at one point in time, in prom-client's format. */
export type Snapshot = ReadonlyArray<{ readonly name: string, readonly values: readonly Value[] }>

interface Value {
  /** Which of a histogram's numbers it is. */
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number | undefined>>
  readonly value: number
}

export interface StatisticsRoutes {
  readonly registry: Registry
  readonly snapshot: () => Promise<Snapshot>
}

/** How often something has happened, and how long it took in total. */
interface Duration {
  readonly count: number
  readonly ns: number
}

/** Routes that take steps of a model; the others only describe it. */
const WORKS = /\/(?:step|sequence|stream|infer)$/

/** The statistics extension of the protocol: what the metrics have counted for models, under Triton's names. */
const routes: FastifyPluginAsync<StatisticsRoutes> = async (app, { registry, snapshot }) => {
  const schema = { hide: true }

  async function answer (reply: FastifyReply, models: readonly Model[]): Promise<FastifyReply> {
    const counted = await snapshot()
    return sendObject(reply, { model_stats: models.map((model) => statisticsOf(model, counted)) })
  }

  app.get('/models/stats', { schema }, async (_request, reply) => await answer(reply, registry.models))
  for (const path of withVersion('/stats')) {
    app.get(path, { config: { model: true }, schema }, async (request, reply) => await answer(reply, [findModel(request)]))
  }
}

function statisticsOf ({ name, version }: Model, counted: Snapshot): object {
  const requests = (failed: boolean): Duration => durationOf(counted, 'cellserve_request_duration_seconds', name,
    ({ route, status }) => WORKS.test(String(route)) && failed === (Number(status) >= 400))
  const computed = durationOf(counted, 'cellserve_compute_duration_seconds', name)
  return {
    name,
    version,
    inference_count: sumOf(counted, 'cellserve_steps_total', name),
    execution_count: computed.count,
    inference_stats: {
      success: requests(false),
      fail: requests(true),
      queue: durationOf(counted, 'cellserve_queue_duration_seconds', name),
      compute_infer: computed
    }
  }
}

type Which = (labels: Value['labels']) => boolean

function durationOf (counted: Snapshot, metric: string, model: string, which?: Which): Duration {
  const sum = (series: string): number => sumOf(counted, metric, model, which, `${metric}_${series}`)
  return { count: sum('count'), ns: Math.round(1e9 * sum('sum')) }
}

/** @param series which of a histogram's numbers; a counter has only one. */
function sumOf (counted: Snapshot, metric: string, model: string, which: Which = () => true, series?: string): number {
  const values = counted.find(({ name }) => name === metric)?.values ?? []
  return values.reduce((sum, { metricName, labels, value }) => labels.model === model && (series === undefined || metricName === series) && which(labels) ? sum + value : sum, 0)
}

export default routes
