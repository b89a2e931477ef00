import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp } from './helper.ts'

test('the dashboard asks for metrics that there are', async (t) => {
  const request = supertest((await buildTestApp(t)).server)
  await request.post('/step').send({ x: [1, 2] }).expect(200)
  const { text } = await request.get('/metrics').expect(200)
  const dashboard: { panels: Array<{ targets: Array<{ expr: string }> }> } = JSON.parse(await readFile('docker/grafana/dashboard.json', 'utf8'))
  const names = dashboard.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => expr.match(/cellserve_\w+/g) ?? []))
  assert.ok(names.length > 10)
  for (const name of names) assert.match(text, new RegExp(`^(# TYPE )?${name}[ {]`, 'm'), name)
})
