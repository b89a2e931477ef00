import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '../../src/plugins/telemetry/metrics.ts'
import { createPrimaryMetrics } from '../../src/workers/metrics.ts'

/** The metrics of a worker that holds so much, and has answered a request with each of these statuses. */
async function snapshotOf (rows: number, version: string, ...statuses: readonly number[]) {
  const metrics = createMetrics({ rows, bytes: 0 }, { version: '1', engine: 'native', backend: 'avx2' })
  metrics.serves({ models: [{ name: 'a', version }], faults: new Map(), versions: rows })
  for (const status of statuses) metrics.answered({ route: '/step', model: 'a', status }, 0.002, status === 503 ? 'unavailable' : undefined)
  return await metrics.register.getMetricsAsJSON()
}

const COUNT = /^cellserve_request_duration_seconds_count\{.*status="200"\} (\d+)$/m

test('counts and what is held are summed; what says which, or how many versions, is not', async () => {
  const total = createPrimaryMetrics(() => 2)
  total.take(1, await snapshotOf(3, 'x', 200, 200, 503))
  total.take(2, await snapshotOf(4, 'y', 200))
  const text = await total.text()
  for (const line of [
    'cellserve_request_duration_seconds_count{route="/step",model="a",status="200"} 3',
    'cellserve_request_duration_seconds_bucket{le="0.001",route="/step",model="a",status="200"} 0',
    'cellserve_request_duration_seconds_bucket{le="0.0025",route="/step",model="a",status="200"} 3',
    'cellserve_request_duration_seconds_bucket{le="+Inf",route="/step",model="a",status="503"} 1',
    'cellserve_rejected_total{reason="unavailable"} 1',
    'cellserve_live_rows 7',
    'cellserve_model_versions 4',
    'cellserve_build_info{version="1",engine="native",backend="avx2"} 1',
    'cellserve_model_info{model="a",version="x"} 1',
    'cellserve_model_info{model="a",version="y"} 1',
    'cellserve_workers 2',
    'cellserve_worker_restarts_total 0'
  ]) assert.ok(text.split('\n').includes(line), line)
  assert.match(text, /^process_start_time_seconds \d+$/m)
  assert.doesNotMatch(text, /nodejs_active_\w+_total/)
  const requests = (await total.snapshot()).find(({ name }) => name === 'cellserve_request_duration_seconds')
  assert.deepEqual(requests?.values.filter((value) => 'metricName' in value && value.metricName === 'cellserve_request_duration_seconds_count').map(({ labels, value }) => [labels.status, value]), [[200, 3], [503, 1]])
})

test('what a worker counted stays when it ends, and what it held goes', async () => {
  const total = createPrimaryMetrics(() => 1)
  total.take(1, await snapshotOf(3, 'x', 200, 200))
  total.take(2, await snapshotOf(4, 'x', 200))
  await total.end(1)
  total.restarted()
  const text = await total.text()
  assert.equal(COUNT.exec(text)?.[1], '3')
  assert.match(text, /^cellserve_live_rows 4$/m)
  assert.match(text, /^cellserve_worker_restarts_total 1$/m)
  // Another in its place begins at nothing.
  total.take(1, await snapshotOf(0, 'x', 200))
  await total.end(2)
  await total.end(1)
  assert.equal(COUNT.exec(await total.text())?.[1], '4')
})
