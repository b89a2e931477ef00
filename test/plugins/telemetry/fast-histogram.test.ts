import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Histogram, Registry } from 'prom-client'
import { FastHistogram } from '../../../src/plugins/telemetry/fast-histogram.ts'

test('the fast histogram writes what prom-client\'s own does', async () => {
  const config = { name: 'seconds', help: 'Some "time".', labelNames: ['route', 'status'], buckets: [0.0001, 0.5, 1, 10] }
  const [fast, own] = [new Registry(), new Registry()]
  const ours = new FastHistogram({ ...config, registers: [fast] })
  const theirs = new Histogram({ ...config, registers: [own] })
  const values = [0, 0.0001, 0.00010001, 0.5, 0.75, 1, 10, 11, 1e9]
  for (let i = 0; i < 500; i++) {
    const labels = { route: ['/step', '/a "quoted"\nname', ''][i % 3], status: [200, 422][i % 2] }
    const value = values[i * 7 % values.length]
    ours.record(labels, value)
    theirs.observe(labels, value)
  }
  assert.equal(await fast.metrics(), await own.metrics())
  assert.match(await fast.metrics(), /seconds_bucket\{le="0.5",route="\/step",status="200"\} \d+/)
})

test('labels that only look alike when joined are counted apart', async () => {
  const register = new Registry()
  const histogram = new FastHistogram({ name: 'apart', help: 'x', labelNames: ['a', 'b'], buckets: [1], registers: [register] })
  histogram.record({ a: 'x\n', b: 'y' }, 1)
  histogram.record({ a: 'x', b: '\ny' }, 1)
  assert.equal((await register.metrics()).match(/apart_count.* 1$/gm)?.length, 2)
})
