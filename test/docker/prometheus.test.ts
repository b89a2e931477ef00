import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import supertest from 'supertest'
import { parse } from 'yaml'
import { createPrimaryMetrics } from '../../src/workers/metrics.ts'
import { startService } from '../support/app.ts'

/** A service after one answered and one rejected request. */
async function startAsked (t: TestContext) {
  const service = await startService(t, '--max-rows', '1')
  const { app, admission } = service
  const request = supertest(app.server)
  await request.post('/step').send({ x: [1, 2] }).expect(200)
  const other = admission.reserve()
  other.enter(1)
  await request.post('/step').send({ x: [1, 2] }).expect(503)
  other.leave(1)
  return { ...service, request }
}

/** Its metrics, with those of the process that starts workers. */
async function readMetrics (t: TestContext): Promise<string> {
  const { metrics } = await startAsked(t)
  const all = createPrimaryMetrics(() => 1)
  all.take(1, await metrics.register.getMetricsAsJSON())
  return await all.text()
}

test('the dashboard asks for metrics that there are', async (t) => {
  const metrics = await readMetrics(t)
  const dashboard: { panels: Array<{ targets: Array<{ expr: string }> }> } = JSON.parse(await readFile('docker/grafana/dashboard.json', 'utf8'))
  const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
  assert.ok(expressions.length > 5)
  for (const expression of expressions) assertKnown(expression, metrics)
})

test('the alerts ask for metrics and labels that there are', async (t) => {
  const metrics = await readMetrics(t)
  const { groups }: { groups: Array<{ rules: Array<{ alert: string, expr: string }> }> } = parse(await readFile('docker/alerts/cellserve.yml', 'utf8'))
  const rules = groups.flatMap(({ rules }) => rules)
  assert.ok(rules.length > 5)
  for (const { expr } of rules) if (!expr.startsWith('up{')) assertKnown(expr, metrics)
})

function assertKnown (expression: string, metrics: string): void {
  const selectors = [...expression.matchAll(/\b((?:cellserve|process|nodejs)_\w+)(?:{([^}]*)})?/g)]
  assert.ok(selectors.length > 0, expression)
  for (const [, name, labels = ''] of selectors) {
    const series = metrics.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    assert.ok(series.length > 0 || metrics.includes(`# TYPE ${name} `), `${name} in ${expression}`)
    for (const [, label, value] of labels.matchAll(/(\w+)=~?"([^"]*)"/g)) {
      // Prometheus's own.
      if (label === 'job') {
        assert.equal(value, 'cellserve')
        continue
      }
      assert.ok(series.some((line) => line.includes(`${label}="`)), `${name}: ${label} in ${expression}`)
      // The value, except for statuses that no request of a test causes.
      if (label !== 'status') assert.ok(series.some((line) => new RegExp(`${label}="${value}"`).test(line)), `${name}: ${label} of ${value} in ${expression}`)
    }
  }
}

test('the alerts wait for the job that is scraped, and their file is where Prometheus looks', async () => {
  const { rule_files: [pattern], scrape_configs: [job] }: { rule_files: string[], scrape_configs: Array<{ job_name: string }> } =
    parse(await readFile('docker/prometheus.yml', 'utf8'))
  assert.match(await readFile('docker/alerts/cellserve.yml', 'utf8'), new RegExp(`up{job="${job.job_name}"}`))
  const { services: { prometheus: { volumes } } }: { services: { prometheus: { volumes: string[] } } } = parse(await readFile('docker/compose.yaml', 'utf8'))
  assert.ok(volumes.includes(`./alerts/cellserve.yml:${pattern.replace('*', 'cellserve')}:ro`), pattern)
})

const promtool = spawnSync('promtool', ['--version']).status === 0
const withPromtool = { skip: !promtool && 'promtool is not installed; it is part of Debian\'s package prometheus' }

test('promtool check metrics', withPromtool, async (t) => {
  const { request } = await startAsked(t)
  for (const input of [(await request.get('/metrics').expect(200)).text, await readMetrics(t)]) {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
    assert.equal(status, 0, `${stdout}${stderr}`)
  }
})

for (const args of [
  ['check', 'config', '--syntax-only', 'docker/prometheus.yml'],
  ['check', 'rules', 'docker/alerts/cellserve.yml'],
  ['test', 'rules', 'docker/alerts/cellserve.test.yaml']
]) {
  test(`promtool ${args.join(' ')}`, withPromtool, () => {
    const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' })
    assert.equal(status, 0, `${stdout}${stderr}`)
  })
}
