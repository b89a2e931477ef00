import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { buildTestApp } from '../support/app.ts'

async function burst (request: ReturnType<typeof supertest>, headers: Record<string, string>): Promise<Map<number, number>> {
  const answers = await Promise.all(Array.from({ length: 30 }, async () => await request.post('/step').set(headers).send({ x: [1, 2] })))
  const refused = answers.find(({ status }) => status === 429)
  assert.ok(refused !== undefined)
  assert.match(refused.headers['content-type'] ?? '', /problem\+json/)
  assert.ok(Number(refused.headers['retry-after']) >= 1)
  assert.match(refused.body.detail, /more than 5 requests per second/)
  return answers.reduce((counts, { status }) => counts.set(status, (counts.get(status) ?? 0) + 1), new Map<number, number>())
}

test('a client over the rate limit learns when to retry, and health is always answered', async (t) => {
  const request = supertest((await buildTestApp(t, '--rate-limit', '5')).server)
  const counts = await burst(request, {})
  // The thirty may fall into two seconds, or into three on a slow machine.
  assert.ok((counts.get(200) ?? 0) <= 15 && (counts.get(429) ?? 0) >= 15, JSON.stringify([...counts]))
  for (let i = 0; i < 10; i++) await request.get('/health/ready').expect(200)
})

test('clients are identified by their keys, if there are keys', async (t) => {
  const request = supertest((await buildTestApp(t, '--rate-limit', '5', '--api-key', 'correct-horse', '--api-key', 'battery-staple')).server)
  await burst(request, { 'x-api-key': 'correct-horse' })
  await request.post('/step').set('x-api-key', 'battery-staple').send({ x: [1, 2] }).expect(200)
  await request.post('/step').set('x-api-key', 'no-such-key').send({ x: [1, 2] }).expect(401)
})

test('refusals count as well: wrong keys, made up ones, and paths that are not there', async (t) => {
  const keyed = supertest((await buildTestApp(t, '--rate-limit', '5', '--api-key', 'correct-horse', '--trust-proxy', 'loopback')).server)
  const open = supertest((await buildTestApp(t, '--rate-limit', '5')).server)
  for (const [refused, ask] of [
    [401, (i: number) => keyed.post('/step').set({ 'x-api-key': `made-up-${i}`, 'x-forwarded-for': '192.0.2.1' }).send({ x: [1, 2] })],
    // An IPv6 client has as many addresses as it likes.
    [401, (i: number) => keyed.post('/step').set({ 'x-forwarded-for': `2001:db8::${i}` }).send({ x: [1, 2] })],
    [404, () => open.get('/nothing')]
  ] as const) {
    const answers = await Promise.all(Array.from({ length: 30 }, async (_, i) => (await ask(i)).status))
    assert.ok(answers.filter((status) => status === refused).length <= 15 && answers.filter((status) => status === 429).length >= 15, answers.join())
  }
  // Those with a key are not held up by others at their address.
  await keyed.post('/step').set({ 'x-api-key': 'correct-horse', 'x-forwarded-for': '192.0.2.1' }).send({ x: [1, 2] }).expect(200)
})
